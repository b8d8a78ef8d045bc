package attacktest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// column is a column of the matrix: a level of isolation and how to open a DB at it.
type column struct {
	name     string
	level    schemactx.Level
	shared   bool // both tenants share one connection
	hardened bool
	// prepare creates what the level needs besides Setup and two provisioned tenants.
	prepare func(t *testing.T, w *world)
	// open returns a function that returns the DB to use for a context. conns is the largest number of
	// connections, for both tenants together or at Logins for each.
	open func(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB
}

var columns = [len(wants{})]column{
	{name: "PathOnly", level: schemactx.PathOnly, shared: true, prepare: preparePathOnly, open: openPathOnly},
	{name: "Roles", level: schemactx.Roles, shared: true, open: openRoles},
	{name: "Roles, hardened", level: schemactx.Roles, shared: true, hardened: true, open: openRoles},
	{name: "Logins", level: schemactx.Logins, prepare: prepareLogins, open: openLogins},
	{
		name:     "Roles, hardened, PgBouncer",
		level:    schemactx.Roles,
		shared:   true,
		hardened: true,
		prepare:  preparePooler,
		open:     openPooler,
	},
}

// preparePathOnly creates the login of a program that uses only the search path: it has the owner's
// privileges and can take every role that the owner can take.
func preparePathOnly(t *testing.T, w *world) {
	w.admin(
		t,
		`create role LOGIN_PATH login password 'path'; grant OWNER to LOGIN_PATH; grant ROLE_A, ROLE_B to LOGIN_PATH`,
	)
}

func openPathOnly(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB {
	return w.single(t, w.pg.URLAs(w.roles.Prefix()+"_path", "path"), conns, schemactx.Config{})
}

func openRoles(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB {
	return w.single(t, w.pg.URLAs(w.roles.Runtime(), runtimePassword), conns, schemactx.Config{})
}

const loginPassword = "tenant's password"

// prepareLogins lets the roles of both tenants log in.
func prepareLogins(t *testing.T, w *world) {
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		w.provisionLogin(t, schema, loginPassword)
	}
}

func openLogins(t *testing.T, w *world, conns int32) func(context.Context) *schemactx.DB {
	return w.single(t, w.pg.URLAs(w.roles.Runtime(), runtimePassword), conns, schemactx.Config{
		Logins: schemactx.LoginsConfig{
			MaxConns: conns,
			Password: func(context.Context, string) (string, error) { return loginPassword, nil },
		},
	})
}

// world is a database with the tenants a and b, for one column. The attacks of the column use it
// one after another. reset undoes the changes of the attack before.
type world struct {
	*fixture
	column   *column
	extra    []string          // schemas on the path of every scope
	pool     *pgxpool.Pool     // of the DB that was opened last
	heard    chan string       // payloads of the notifications that the connections of pool received
	names    *strings.Replacer // replaces placeholders; see named
	limits   schemactx.Limits  // of both tenants, for the current attack
	pristine bool              // unchanged since reset
	secretA  string
	secretB  string
}

func newWorld(t *testing.T, col *column, extra ...string) *world {
	t.Helper()
	f := setup(t, extra...)
	roles := f.roles
	w := &world{
		fixture: f,
		column:  col,
		extra:   extra,
		secretA: "secretofa" + f.roles.Prefix(),
		secretB: "secretofb" + f.roles.Prefix(),
	}
	w.names = strings.NewReplacer(
		"ROLE_A", roles.Tenant("tenant_a"), "ROLE_B", roles.Tenant("tenant_b"), "OWNER", roles.Owner(),
		"LOGIN_PATH", roles.Prefix()+"_path", "LOGIN", roles.Runtime(), "SECRET_A", w.secretA, "SECRET_B", w.secretB,
	)
	w.reset(t, "")
	if col.hardened {
		harden(t, w)
	}
	if col.prepare != nil {
		col.prepare(t, w)
	}
	return w
}

func harden(t *testing.T, w *world) {
	_, err := admin.Harden(t.Context(), w.pg.Pool, w.roles)
	require.NoError(t, err)
}

// named replaces placeholders such as ROLE_A by the names of this world.
func (w *world) named(sql string) string { return w.names.Replace(sql) }

// admin runs a script as the superuser.
func (w *world) admin(t *testing.T, sql string) {
	t.Helper()
	_, err := w.pg.Pool.Exec(t.Context(), w.named(sql))
	require.NoError(t, err)
}

// reset creates both tenants again, each with a secret, and runs the script setup as the owner.
func (w *world) reset(t *testing.T, setup string) {
	t.Helper()
	w.admin(t, `drop schema if exists tenant_a, tenant_b cascade;
		drop table if exists public.secrets, public.planted cascade;
		drop function if exists public.planted();
		select lo_unlink(oid) from pg_largeobject_metadata;
		alter role LOGIN reset all`)
	w.provision(t, "tenant_a")
	w.provision(t, "tenant_b")
	w.exec(
		t,
		w.named(`create table tenant_a.secrets (body text primary key); insert into tenant_a.secrets values ('SECRET_A');
		create table tenant_b.secrets (body text primary key); insert into tenant_b.secrets values ('SECRET_B');
		create table tenant_a.items (id bigserial primary key, body text);
		create table tenant_b.items (id bigserial primary key, body text);
			alter sequence tenant_b.items_id_seq restart 9876543`),
	)
	if setup != "" {
		w.exec(t, w.named(setup))
	}
}

// open opens the DBs of the column.
func (w *world) open(t *testing.T, conns int32) func(context.Context) *schemactx.DB {
	t.Helper()
	w.heard = make(chan string, 100)
	return w.column.open(t, w, conns)
}

// single returns one DB for all contexts.
func (w *world) single(
	t *testing.T,
	url string,
	conns int32,
	cfg schemactx.Config,
) func(context.Context) *schemactx.DB {
	t.Helper()
	cfg.Level, cfg.Roles, cfg.ExtraSearchPath = w.column.level, w.roles, w.extra
	cfg.Limits = func(string) schemactx.Limits { return w.limits }
	w.pool = w.hearingPool(t, url, conns)
	db, err := schemactx.New(w.pool, cfg)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return func(context.Context) *schemactx.DB { return db }
}

// stateOfB describes the contents and the catalog entries of tenant b, read as the superuser.
func (w *world) stateOfB(t *testing.T) string {
	t.Helper()
	var state string
	err := w.pg.Pool.QueryRow(t.Context(), `select concat_ws(' | ',
		(select string_agg(body, ',' order by body) from tenant_b.secrets),
		(select string_agg(body, ',' order by id) from tenant_b.items),
		(select concat(last_value, is_called) from tenant_b.items_id_seq),
		(select string_agg(concat_ws(' ', relname, relkind, relacl, relhastriggers, relhasrules, obj_description(oid,
			'pg_class'), reltuples), ',' order by relname)
			from pg_class where relnamespace = 'tenant_b'::regnamespace),
		(select string_agg(defaclacl::text, ',' order by oid) from pg_default_acl
			where defaclnamespace = 'tenant_b'::regnamespace))`).Scan(&state)
	if err != nil {
		return err.Error() // an error, such as a missing table, counts as a state too
	}
	return state
}

// expectFinding fails the test unless Check reports code for the login of the last pool.
func (w *world) expectFinding(t *testing.T, code admin.Code) {
	t.Helper()
	report, err := admin.Check(
		t.Context(),
		w.pool,
		admin.CheckConfig{Level: w.column.level, Roles: w.roles, ExtraSearchPath: w.extra},
	)
	require.NoError(t, err)
	found := slices.ContainsFunc(report.Findings, func(f admin.Finding) bool { return f.Code == code })
	assert.True(t, found, "Check reports no %s: %v", code, report.Findings)
}
