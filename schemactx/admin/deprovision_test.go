package admin_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func (f *fixture) deprovision(t *testing.T, schema string) admin.DeprovisionReport {
	t.Helper()
	report, err := admin.Deprovision(t.Context(), f.owner, f.roles, schema, admin.DeprovisionOptions{})
	require.NoError(t, err)
	return report
}

// fill creates every kind of object that a schema can contain, with cycles among its tables and
// among its views.
func (f *fixture) fill(t *testing.T, schema string) {
	t.Helper()
	f.exec(t, strings.ReplaceAll(`
		create table public.countries (code text primary key);
		create type S.mood as enum ('good', 'bad');
		create type S.pair as (a int, b int);
		create domain S.positive as int check (value > 0);
		create sequence S.numbers;
		create table S.people (id serial primary key, other bigint generated always as identity, boss int references S.people,
			mood S.mood, n S.positive default nextval('S.numbers'), pair S.pair, country text
				references public.countries, body text);
		create table S.firms (id bigint generated always as identity primary key, head int references S.people);
		alter table S.people add firm bigint references S.firms;
		create index on S.people (lower(body));
		create statistics S.both on mood, boss from S.people;
		create table S.rows (p S.people, ps S.firms[]);
		create view S.names as select id, body from S.people;
		create view S.names2 as select n.id, f.head from S.names n join S.firms f on head = n.id;
		create materialized view S.counts as select mood, count(*) from S.people group by 1;
		create function S.f(S.people) returns int language sql begin atomic select count(*)::int from S.names2; end;
		create function S.touch() returns trigger language plpgsql as 'begin return new; end';
		create trigger touch before update on S.people for each row execute function S.touch();
		create rule quiet as on delete to S.firms do also notify x;
		create table S.events (at date, kind int, person int references S.people, primary key (at,
			kind)) partition by range (at);
		create table S.events_1 partition of S.events for values
			from ('2020-01-01') to ('2021-01-01') partition by list (kind);
		create table S.events_1a partition of S.events_1 for values in (1);
		create table S.events_2 partition of S.events for values from ('2021-01-01') to ('2022-01-01');
		create trigger touch before update on S.events for each row execute function S.touch();
		create table S.base (id int); create table S.derived (more int) inherits (S.base);
		alter table S.people enable row level security; create policy mine on S.people using (mood = 'good');
		create aggregate S.total (int) (sfunc = int4pl, stype = int);
		create operator S.=== (function = int4eq, leftarg = int, rightarg = int);
		create collation S.german from "C";
		create table S."Odd ""name""" (i int);
		create text search configuration S.words (copy = simple);
		`,
		"S.", schema+"."))
}

// gone fails the test if any catalog still has an entry of the tenant.
func (f *fixture) gone(t *testing.T, schema string) {
	t.Helper()
	var schemaThere, roleThere bool
	require.NoError(t,
		f.pg.Pool.QueryRow(t.Context(), "select to_regnamespace($1) is not null, to_regrole($2) is not null",
			schema, f.roles.Tenant(schema)).Scan(&schemaThere, &roleThere))
	assert.True(t, !schemaThere && !roleThere, "schema %t, role %t; want both gone", schemaThere, roleThere)
	var orphans int
	require.NoError(
		t,
		f.pg.Pool.QueryRow(t.Context(), `select (select count(*) from pg_class where relnamespace not in (select oid
			from pg_namespace))
		+ (select count(*) from pg_auth_members where roleid not in (select oid from pg_roles))
		+ (select count(*) from pg_default_acl where defaclnamespace not in (select oid from pg_namespace)
			and defaclnamespace <> 0)`).
			Scan(&orphans),
	)
	assert.LessOrEqual(t, orphans, 0, "%d rows of the catalogs have lost their object", orphans)
}

// fingerprint returns the catalog entries and the rows of a schema and its role.
func (f *fixture) fingerprint(t *testing.T, schema string) string {
	t.Helper()
	var s string
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select concat_ws(E'\n',
		(select n::text from pg_namespace n where nspname = $1),
		(select string_agg((to_jsonb(c) -
				'{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}'::text[])::text, E'\n' order by oid)
			from pg_class c where relnamespace = $1::regnamespace),
		(select string_agg(a::text, E'\n' order by attrelid, attnum) from pg_attribute a join pg_class c on c.oid = attrelid
			where relnamespace = $1::regnamespace),
		(select string_agg(c::text, E'\n' order by oid) from pg_constraint c where connamespace = $1::regnamespace),
		(select string_agg(t::text, E'\n' order by t.oid) from pg_trigger t join pg_class c on c.oid = tgrelid
			where relnamespace = $1::regnamespace),
		(select string_agg(a::text, E'\n' order by oid) from pg_default_acl a where defaclnamespace = $1::regnamespace),
		(select concat(rolcanlogin, rolinherit, rolconfig) from pg_roles where rolname = $2),
		(select string_agg(format('%s %s', member, grantor), E'\n' order by member, grantor) from pg_auth_members
			where roleid = $2::regrole),
		schema_to_xml($1::name, true, false, '')::text)`, schema, f.roles.Tenant(schema)).Scan(&s))
	return s
}

// unchanged fails the test if fn changes the fingerprint of a schema.
func (f *fixture) unchanged(t *testing.T, schema string, fn func()) {
	t.Helper()
	before := f.fingerprint(t, schema)
	fn()
	after := f.fingerprint(t, schema)
	assert.Equal(t, before, after, "schema %s has changed:\n%s\nbefore", schema, after)
}

func TestDeprovisionDropsEverythingOfATenantAndNothingElse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, "revoke connect on database "+f.pg.Name+" from public")
	f.exec(t, "create table public.plans (id int); grant select on public.plans to "+f.roles.Tenant("tenant_a"))
	f.provisionLogin(t, "tenant_a", "password") // grants CONNECT too
	f.fill(t, "tenant_a")
	f.unchanged(t, "tenant_b", func() {
		report := f.deprovision(t, "tenant_a")
		if assert.GreaterOrEqual(t, report.Relations, 15, report) &&
			assert.Equal(t, f.roles.Tenant("tenant_a"), report.Role, report) {
			assert.True(t, report.Changed(), "got %+v", report)
		}
		expectDone(
			t,
			report.Actions,
			"revoke ",
			"revoke all on schema tenant_a",
			"alter role ",
			"drop 1",
			"drop schema tenant_a cascade",
			"drop owned by ",
			"drop role ",
		)
	})
	f.gone(t, "tenant_a")
	_, _, err := note(in(t, "tenant_a"), f.db)
	assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
	var inherits bool
	require.NoError(
		t,
		f.pg.Pool.QueryRow(t.Context(), "select rolinherit from pg_roles where rolname = $1", f.roles.Owner()).
			Scan(&inherits),
	)
	assert.False(t, inherits, "the owner has become INHERIT")

	report := f.deprovision(t, "tenant_a")
	assert.False(t, report.Changed(), "of a tenant that is gone: %v", report)
	assert.Empty(t, report.Actions, "of a tenant that is gone: %v", report)
	f.provision(t, "tenant_a") // the name is available again
}

// A thousand tables need more locks than the server has by default.
func TestDeprovisionOfAThousandTables(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create table tenant_a.hub (id int primary key)")
	for i := range 20 { // separate transactions, for the same reason
		f.exec(t, fmt.Sprintf(`do $$ begin for i in %d..%d loop
			execute format('create table tenant_a.t%%s (id serial primary key, hub int references tenant_a.hub,
				boss int references tenant_a.t%%1$s, name text unique, born date default now(),
				other bigint generated always as identity)', i);
			execute format('create index on tenant_a.t%%s (hub); create index on tenant_a.t%%1$s (born);
				create view tenant_a.v%%1$s as select * from tenant_a.t%%1$s', i);
		end loop; end $$`, i*50, i*50+49))
	}
	f.exec(t, "alter table tenant_a.hub add first int references tenant_a.t0")
	f.unchanged(t, "tenant_b", func() {
		report := f.deprovision(t, "tenant_a")
		assert.Equal(t, 2002, report.Relations,
			"dropped %d relations, want 1,001 tables, 1,000 views and the notes", report.Relations)
	})
	f.gone(t, "tenant_a")
}

// dyingConn is a connection that breaks at a write, before or after it reaches the server.
type dyingConn struct {
	net.Conn
	left  atomic.Int64 // writes until it breaks
	after bool
}

func (c *dyingConn) Write(b []byte) (n int, err error) {
	if c.left.Add(-1) > 0 {
		return c.Conn.Write(b)
	}
	if c.after {
		n, err = c.Conn.Write(b)
	}
	return n, errors.Join(err, net.ErrClosed, c.Close())
}

// interrupted returns a connection of the owner that breaks at its n-th write.
func (f *fixture) interrupted(t *testing.T, n int64, after bool) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(f.pg.URLAs(f.roles.Owner(), ownerPassword))
	require.NoError(t, err)
	var dying *dyingConn
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		dying = &dyingConn{Conn: conn, after: after}
		dying.left.Store(math.MaxInt64)
		return dying, err
	}
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	dying.left.Store(n)
	return conn
}

// awaitEnd waits until a server process has ended.
func (f *fixture) awaitEnd(t *testing.T, pid uint32) {
	t.Helper()
	for there := true; there; {
		require.NoError(t, t.Context().Err())
		require.NoError(
			t,
			f.pg.Pool.QueryRow(t.Context(), "select exists (select from pg_stat_activity where pid = $1::int)", int32(pid)).
				Scan(&there),
		)
	}
}

func TestDeprovisionContinuesAfterAnInterruption(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fill(t, "tenant_a")
	opts := admin.DeprovisionOptions{BatchSize: 4}
	f.unchanged(t, "tenant_b", func() {
		interruptions := 0
		for {
			_, err := admin.Deprovision(
				t.Context(),
				f.interrupted(t, int64(5+interruptions%20), interruptions%2 == 1),
				f.roles,
				"tenant_a",
				opts,
			)
			if err == nil {
				break
			}
			interruptions++
			require.LessOrEqual(t, interruptions, 100, "no end: %v", err)
		}
		assert.GreaterOrEqual(t, interruptions, 10, "only")
	})
	f.gone(t, "tenant_a")
}

// The tenant keeps its tables until its transaction ends. New units of work are refused meanwhile.
func TestDeprovisionWaitsForATransactionOfTheTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other := f.open(t, schemactx.Config{}, 1)
	tx, err := other.Begin(in(t, "tenant_a"))
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(in(t, "tenant_a")) }() // if the test fails
	_, err = tx.Exec(in(t, "tenant_a"), "insert into notes values (2, 'late')")
	require.NoError(t, err)

	short := admin.DeprovisionOptions{LockTimeout: 10 * time.Millisecond, MaxRetries: 2}
	report, err := admin.Deprovision(t.Context(), f.owner, f.roles, "tenant_a", short)
	expectState(t, err, "55P03")
	assert.Len(t, report.Actions, 3, "got %v, want the tenant closed and nothing dropped", report)
	assert.Equal(t, 0, report.Relations, "got %v, want the tenant closed and nothing dropped", report)
	_, _, err = note(in(t, "tenant_a"), f.db)
	assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)

	short.MaxRetries = 0
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = admin.Deprovision(ctx, f.owner, f.roles, "tenant_a", short)
	assert.ErrorIs(t, err, context.DeadlineExceeded, "got %v, want the context's end", err)

	finished := make(chan error, 1)
	go func() {
		_, err := admin.Deprovision(
			t.Context(),
			f.owner,
			f.roles,
			"tenant_a",
			admin.DeprovisionOptions{LockTimeout: 20 * time.Millisecond},
		)
		finished <- err
	}()
	select {
	case err := <-finished:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	require.NoError(t, tx.Commit(in(t, "tenant_a")))
	require.NoError(t, <-finished)
	f.gone(t, "tenant_a")
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

func TestDeprovisionRefusesToReachOtherSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(
		t,
		`create type tenant_a.mood as enum ('good'); create function tenant_a.one() returns int language sql as 'select 1';
		create table tenant_a.parts (at int) partition by list (at); create sequence tenant_a.numbers;
		create table tenant_a.base (id int)`,
	)
	for object, sql := range map[string]string{
		"view tenant_b.seen":              "create view tenant_b.seen as select * from tenant_a.notes",
		"materialized view tenant_b.kept": "create materialized view tenant_b.kept as select tenant_a.one()",
		"table constraint fk on tenant_b.notes": "alter table tenant_b.notes add constraint fk foreign key (id) references " +
			"tenant_a.notes not valid",
		"table column tenant_b.notes.mood":    "alter table tenant_b.notes add mood tenant_a.mood",
		"default value for tenant_b.notes.id": "alter table tenant_b.notes alter id set default nextval('tenant_a.numbers')",
		"table tenant_b.part":                 "create table tenant_b.part partition of tenant_a.parts default",
		"table tenant_b.derived":              "create table tenant_b.derived () inherits (tenant_a.base)",
		"function tenant_b.f(tenant_a.notes)": "create function tenant_b.f(tenant_a.notes) returns int language sql as " +
			"'select 1'",
		"policy p on tenant_b.notes": "create policy p on tenant_b.notes using (tenant_a.one() = 1)",
		"index tenant_b.i": "create function tenant_a.im(int) returns int immutable language sql as " +
			"'select 1'; create index i on tenant_b.notes (tenant_a.im(id))",
		"trigger t on tenant_b.notes": "create function tenant_a.t() returns trigger language plpgsql as 'begin " +
			"end'; create trigger t after insert on tenant_b.notes execute function tenant_a.t()",
		"composite type column tenant_b.pair.m": "create type tenant_b.pair as (m tenant_a.mood)",
		"table tenant_b.\"Rows\"":               "create table tenant_b.\"Rows\" of tenant_a.shape",
	} {
		f.exec(t, "drop type if exists tenant_a.shape cascade; create type tenant_a.shape as (a int)")
		f.exec(t, sql)
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			f.unchanged(t, schema, func() {
				report, err := admin.Deprovision(t.Context(), f.owner, f.roles, "tenant_a", admin.DeprovisionOptions{})
				var dependents *admin.DependentsError
				require.ErrorAs(t, err, &dependents, "%s: got %v", object, report)
				require.False(t, report.Changed(), "%s: got %v, %v; want a DependentsError", object, report, err)
				assert.True(t,
					slices.ContainsFunc(dependents.Objects, func(o string) bool { return strings.HasPrefix(o, object) }),
					"got %q, want %s among them", dependents.Objects, object)
				for _, o := range dependents.Objects {
					assert.Contains(t, o, "tenant_b.", "%s: %q is not outside of the schema", object, o)
				}
			})
		}
		f.exec(t, "drop schema tenant_b cascade")
		f.provision(t, "tenant_b")
		f.exec(t, "create table tenant_b.notes (id int primary key, body text not null)")
	}
	f.deprovision(t, "tenant_a")
	f.gone(t, "tenant_a")
}

// Objects outside of the schema that the tenant uses do not stop Deprovision, and it does not drop
// them.
func TestDeprovisionLeavesWhatATenantUsesOfOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, `create table public.countries (code text primary key); insert into public.countries values ('CH');
		create type public.mood as enum ('good'); create table public.parts (at int primary key) partition by list (at);
		create table tenant_a.people (country text references public.countries, mood public.mood);
		create view tenant_a.all_countries as table public.countries;
		create table tenant_a.part partition of public.parts default;
		create cast (tenant_a.people as text) with inout`)
	f.deprovision(t, "tenant_a")
	f.gone(t, "tenant_a")
	var n int
	require.NoError(
		t,
		f.owner.QueryRow(t.Context(), "select (select count(*) from public.countries) + (select count(*) from public.parts)").
			Scan(&n),
	)
	assert.Equal(t, 1, n, "%d rows in the shared tables, want 1", n)
}

func TestDeprovisionRefusesForeignSchemasAndRoles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, "create schema theirs; create role "+f.roles.Tenant("tenant_c")+"; create role "+f.roles.Tenant("theirs"))
	run(t, f, fmt.Sprintf("comment on role %s is 'pgtenant role of database %s'", f.roles.Tenant("theirs"), f.pg.Name))
	f.exec(t, "create schema shared")
	for schema, want := range map[string]error{
		"theirs": admin.ErrTaken, "tenant_c": admin.ErrTaken, "shared": schemactx.ErrNotProvisioned,
	} {
		_, err := admin.Deprovision(t.Context(), f.owner, f.roles, schema, admin.DeprovisionOptions{})
		assert.ErrorIs(t, err, want)
	}
	for _, schema := range []string{"public", "pg_catalog", "Tenant A", ""} {
		_, err := admin.Deprovision(t.Context(), f.owner, f.roles, schema, admin.DeprovisionOptions{})
		var nameErr *schemactx.NameError
		assert.ErrorAs(t, err, &nameErr, "%q", schema)
	}
	for _, opts := range []admin.DeprovisionOptions{{BatchSize: -1}, {LockTimeout: -1}, {MaxRetries: -1}} {
		_, err := admin.Deprovision(t.Context(), f.owner, f.roles, "tenant_a", opts)
		assert.Error(t, err, "%+v was taken", opts)
	}
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
}

// The owner cannot revoke a privilege that another role granted. The error names the privilege.
// After that role has revoked it, the rest of Deprovision succeeds.
func TestDeprovisionNamesTheGrantThatKeepsTheRole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, "create table public.plans (id int); grant select on public.plans to "+f.roles.Tenant("tenant_a"))
	_, err := admin.Deprovision(t.Context(), f.owner, f.roles, "tenant_a", admin.DeprovisionOptions{})
	expectState(t, err, "2BP01")
	if !strings.Contains(err.Error(), "table plans") {
		assert.Contains(t, err.Error(), "table public.plans", "%v does not name the table", err)
	}
	run(t, f, "drop table public.plans")
	expectDone(t, f.deprovision(t, "tenant_a").Actions, "drop owned by", "drop role")
	f.gone(t, "tenant_a")
}
