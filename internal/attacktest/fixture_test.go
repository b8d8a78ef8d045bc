package attacktest

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const (
	ownerPassword   = "owner's password"
	runtimePassword = "runtime's password"
)

// fixture is a database after Setup.
type fixture struct {
	pg    *pgtest.DB
	roles schemactx.RoleNames
	owner *pgxpool.Pool
}

func setup(t *testing.T, extra ...string) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	roles, err := schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	report, err := admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{
		Roles: roles, OwnerPassword: ownerPassword, RuntimePassword: runtimePassword,
		Extensions: []string{"citext"}, ExtraSearchPath: extra,
	})
	require.NoError(t, err)
	f.roles = report.Roles
	f.owner = openPool(t, f.pg.URLAs(f.roles.Owner(), ownerPassword), 1)
	return f
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

// exec runs a script as the owner.
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
