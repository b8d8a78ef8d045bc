package admin_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// fixture is a database with the schemas tenant_a and tenant_b. Each has a table notes with one
// row, which contains the name of the schema.
type fixture struct {
	pg    *pgtest.DB
	roles schemactx.RoleNames
	owner *pgxpool.Pool
	db    *schemactx.DB // of the runtime login, with one connection
}

const (
	ownerPassword   = "owner's password"
	runtimePassword = "runtime's password"
)

func setup(t *testing.T) *fixture {
	t.Helper()
	return setupOn(t, pgtest.New(t))
}

// setupOn is setup on a given database.
func setupOn(t *testing.T, pg *pgtest.DB) *fixture {
	t.Helper()
	f := &fixture{pg: pg}
	roles, err := schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	report, err := admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{
		Roles: roles, OwnerPassword: ownerPassword, RuntimePassword: runtimePassword,
	})
	require.NoError(t, err)
	f.roles = report.Roles
	f.owner = openPool(t, f.pg.URLAs(f.roles.Owner(), ownerPassword), 4)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		f.provision(t, schema)
		f.exec(t, fmt.Sprintf("create table %s.notes (id int primary key, body text not null)", schema))
		f.exec(t, fmt.Sprintf("insert into %s.notes values (1, '%[1]s')", schema))
	}
	f.db = f.open(t, schemactx.Config{}, 1)
	return f
}

// open returns a DB of the runtime login with conns connections.
func (f *fixture) open(t *testing.T, cfg schemactx.Config, conns int32) *schemactx.DB {
	t.Helper()
	cfg.Roles = f.roles
	db, err := schemactx.New(openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), conns), cfg)
	require.NoError(t, err)
	return db
}

func (f *fixture) provision(t *testing.T, schema string) {
	t.Helper()
	_, err := admin.Provision(t.Context(), f.owner, f.roles, schema)
	require.NoError(t, err)
}

func (f *fixture) provisionLogin(t *testing.T, schema, password string) {
	t.Helper()
	_, err := admin.ProvisionLogin(t.Context(), f.owner, f.roles, schema, password)
	require.NoError(t, err)
}

// exec runs a statement as the owner.
func (f *fixture) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := f.owner.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func openPool(t *testing.T, url string, conns int32) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = conns
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// in returns the test's context with the tenant's schema.
func in(t *testing.T, schema string) context.Context {
	return schemactx.NewContext(t.Context(), schema)
}

// querier is a DB or a Tx.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// note reads the note in the schema of ctx by an unqualified name. It returns the note and the PID
// of the backend.
func note(ctx context.Context, q querier) (body string, pid int, err error) {
	err = q.QueryRow(ctx, "select body, pg_backend_pid() from notes where id = $1", 1).Scan(&body, &pid)
	return body, pid, err
}

// expectNote fails the test unless q reads the note of the schema want.
func expectNote(t *testing.T, ctx context.Context, q querier, want string) {
	t.Helper()
	got, _, err := note(ctx, q)
	assert.NoError(t, err, "read the note of %q, %v; want %q", got, err, want)
	assert.Equal(t, want, got, "read the note of %q", got)
}

// expectState fails the test unless err is an error of PostgreSQL with that SQLSTATE.
func expectState(t *testing.T, err error, state string) {
	t.Helper()
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr, "got %v, want SQLSTATE %s", err, state) {
		assert.Equal(t, state, pgErr.Code, "got %v, want SQLSTATE %s", err, state)
	}
}
