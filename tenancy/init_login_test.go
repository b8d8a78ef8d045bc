package tenancy_test

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// Every login except the owner role is refused and creates nothing, whether or not Setup has run.
func TestOperationsRefuseWrongLogin(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles := schemactx.DefaultRoleNames(pg.Name)
	pg.RolePrefix = roles.Prefix()
	pool := func(login string) *pgxpool.Pool {
		u, err := url.Parse(pg.URL)
		require.NoError(t, err)
		if login != "" {
			u.User = url.UserPassword(login, "secret")
		}
		p, err := pgxpool.New(context.Background(), u.String())
		require.NoError(t, err)
		t.Cleanup(p.Close)
		return p
	}
	relations := func() (n int) {
		sql := "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
		require.NoError(t, pg.Pool.QueryRow(t.Context(), sql).Scan(&n))
		return n
	}
	manager := func(p *pgxpool.Pool, cfg tenancy.Config) (*tenancy.Manager, error) {
		runner, err := migrate.New(p, migrate.Config{Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}})
		require.NoError(t, err)
		cfg.Migrator = runner
		return tenancy.New(p, cfg)
	}
	refused := func(login string, cfg tenancy.Config, kind schemactx.LoginKind, want string, missing bool) {
		t.Helper()
		m, err := manager(pool(login), cfg)
		if err == nil {
			err = m.Init(t.Context())
		}
		var wrong *schemactx.LoginError
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, kind, wrong.Kind)
		assert.Equal(t, want, wrong.Want)
		assert.Equal(t, missing, wrong.Missing)
		assert.Contains(t, err.Error(), "admin.Setup")
		assert.Zero(t, relations(), "the wrong login has created objects")
	}

	refused("", tenancy.Config{}, schemactx.LoginSuperuser, roles.Owner(), true) // Setup has not run
	_, err := admin.Setup(t.Context(), pg.Pool, admin.SetupConfig{OwnerPassword: "secret", RuntimePassword: "secret"})
	require.NoError(t, err)
	refused("", tenancy.Config{}, schemactx.LoginSuperuser, roles.Owner(), false)
	refused(roles.Runtime(), tenancy.Config{}, schemactx.LoginRuntime, roles.Owner(), false)
	other, err := schemactx.NewRoleNames(roles.Prefix()[:10] + "_other")
	require.NoError(t, err)
	refused(roles.Owner(), tenancy.Config{Roles: other}, schemactx.LoginOther, other.Owner(), true) // other role names

	foreign, err := migrate.New(
		pg.Pool,
		migrate.Config{Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}},
	)
	require.NoError(t, err)
	m, err := tenancy.New(pool(roles.Owner()), tenancy.Config{Migrator: foreign}) // wrong login only here
	require.NoError(t, err)
	var login *schemactx.LoginError
	require.ErrorAs(t, m.Init(t.Context()), &login)
	assert.Equal(t, roles.Owner(), login.Want)
	assert.Zero(t, relations(), "the wrong login has created objects")

	m, err = manager(pool(roles.Owner()), tenancy.Config{})
	require.NoError(t, err)
	require.NoError(t, m.Init(t.Context()))
	assert.NotZero(t, relations())

	// The owner could not continue with objects that another role has created. So each operation
	// refuses such a login, whether or not Init was called.
	require.NoError(t, created(m.Create(t.Context(), tenancy.CreateParams{Slug: "north"})))
	before := registryCounts(t, pg.Pool)
	wrong, err := manager(pg.Pool, tenancy.Config{Drop: tenancy.DropConfig{Enabled: true}})
	require.NoError(t, err)
	for operation, err := range schemaOperations(t, wrong) {
		requireSuperuser(t, err, operation)
	}
	_, err = wrong.Suspend(t.Context(), "north", "")
	requireSuperuser(t, err, "suspend")

	wrong, err = manager(poolWithoutLoginReport(t, pg.URL), tenancy.Config{})
	require.NoError(t, err)
	for operation, err := range schemaOperations(t, wrong) {
		requireSuperuser(t, err, operation+" through a pooler that reports no login")
	}

	// The registry has the right login, the schemas have a wrong one.
	wrong, err = manager(pool(roles.Owner()), tenancy.Config{Schemas: pg.Pool})
	require.NoError(t, err)
	for operation, err := range schemaOperations(t, wrong) {
		requireSuperuser(t, err, operation)
	}
	assert.Equal(t, before, registryCounts(t, pg.Pool), "the wrong login has created objects")
}

// poolWithoutLoginReport returns a pool whose server does not report session_authorization, as
// behind some poolers.
func poolWithoutLoginReport(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return unreportedConn{conn}, err
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		require.Empty(t, conn.PgConn().ParameterStatus("session_authorization"))
		return nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

type unreportedConn struct{ net.Conn }

func (c unreportedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	copy(p, bytes.ReplaceAll(p[:n], []byte("session_authorization"), []byte("session_whatever_else")))
	return n, err
}

func requireSuperuser(t *testing.T, err error, operation string) {
	t.Helper()
	var wrong *schemactx.LoginError
	require.ErrorAs(t, err, &wrong, operation)
	assert.Equal(t, schemactx.LoginSuperuser, wrong.Kind, operation)
}

func created(_ tenancy.Tenant, err error) error { return err }

// schemaOperations returns the error of each operation that creates a schema.
func schemaOperations(t *testing.T, m *tenancy.Manager) map[string]error {
	t.Helper()
	operations := map[string]error{"create": created(m.Create(t.Context(), tenancy.CreateParams{Slug: "south"}))}
	_, operations["stage a schema"] = m.StageScratch(t.Context())
	_, operations["stage a replacement"] = m.StageReplacement(t.Context(), "north")
	_, operations["stage a tenant"] = m.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "west"})
	return operations
}

// registryCounts counts the rows of the registry, and the schemas of the database.
func registryCounts(t *testing.T, pool *pgxpool.Pool) (rows [4]int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `select
		(select count(*) from public.tenants), (select count(*) from public.schema_names),
		(select count(*) from public.side_schemas), (select count(*) from pg_namespace)`,
	).Scan(&rows[0], &rows[1], &rows[2], &rows[3]))
	return rows
}
