package tenancy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// tenantSession opens a session of the runtime login with the role of a tenant, for SQL that the
// tenant controls.
func (f *fixture) tenantSession(t *testing.T, tenant tenancy.Tenant) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Runtime(), "r"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	_, err = conn.Exec(t.Context(), "set role "+pgx.Identifier{f.roles.Tenant(tenant.Schema)}.Sanitize())
	require.NoError(t, err)
	return conn
}

// Every role can take every advisory lock, and the keys can be guessed. No operation waits for an
// advisory lock that a tenant holds.
func TestAdvisoryLocksOfTenantBlockNoOperation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.create(t, "b")
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Stock, cfg.Drop = tenancy.StockConfig{Size: 1}, tenancy.DropConfig{Enabled: true}
	})
	f.takeAdvisoryLocks(t, a)
	ctx := timeoutContext(t)
	require.NoError(t, m.Init(ctx))
	_, err := m.Suspend(ctx, "b", "")
	require.NoError(t, err)
	refill(t, m)
	_, err = m.Create(ctx, createParams("c"))
	require.NoError(t, err)
	_, err = m.AssignStocked(ctx, createParams("d"))
	require.NoError(t, err)
	s, err := m.StageReplacement(ctx, "b")
	require.NoError(t, err)
	_, err = s.Replace(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close(ctx))
	s, err = m.StageScratch(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close(ctx))
	retained, err := m.RetainedSchema(ctx, "b")
	require.NoError(t, err)
	_, err = m.RevertReplacement(ctx, "b", retained.Schema)
	require.NoError(t, err)
	_, err = m.Rename(ctx, "b", tenancy.RenameParams{Schema: "renamed"})
	require.NoError(t, err)
	_, err = m.SweepStagedSchemas(ctx)
	require.NoError(t, err)
	_, err = m.Drop(ctx, request(t, m, "b"))
	require.NoError(t, err)
}

// takeAdvisoryLocks takes, as a tenant, the advisory locks of all releases of the library, for many
// schemas and tenants, shared and exclusive.
func (f *fixture) takeAdvisoryLocks(t *testing.T, tenant tenancy.Tenant) {
	t.Helper()
	for i, lock := range []string{"pg_try_advisory_lock", "pg_try_advisory_lock_shared"} {
		session := f.tenantSession(t, tenant)
		for _, key := range []string{
			"pgtenant.registry", "pgtenant.stock", "pgtenant.tenant.N", "pgtenant.side.N",
			"pgtenant.scratch.tenant_N", "pgtenant.scratch.tenant_N_rM", "pgtenant.scratch.renamed",
			"pgtenant.migrate.tenant_N", "pgtenant.migrate.tenant_N_rM", "pgtenant.migrate.public",
		} {
			_, err := session.Exec(
				t.Context(),
				"select "+lock+`(hashtextextended(replace(replace($1, 'N', n::text), 'M', m::text), 0))
				from generate_series(1 + $2, 20, 2) n, generate_series(1, 5) m`,
				key,
				i,
			)
			require.NoError(t, err)
		}
	}
}

// connect opens an idle session of the owner role.
func (f *fixture) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Owner(), "o"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// A row of registry_locks is a lock while its session exists. A later session with the same process
// id, or another login, does not hold it.
func TestLockOfEndedSessionIsTakenOver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, holder := range map[string]string{
		"gone": "select 0, now(), (select oid from pg_roles where rolname = $2)",
		"of another start": `select pid, backend_start - interval '1 ms', usesysid
			from pg_stat_activity where pid = $3 and $2 <> ''`,
		"of another login": "select pid, backend_start, 1 from pg_stat_activity where pid = $3 and $2 <> ''",
	} {
		conn := f.connect(t)
		a := f.create(t, strings.ReplaceAll(name, " ", "-"))
		var mark int64
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `insert into public.registry_locks
			(key, pid, backend_start, login) select 'tenant ' || $1::bigint, x.* from (`+holder+`) x
			where $3 > 0 returning mark`, a.ID, f.roles.Owner(), int32(conn.PgConn().PID())).Scan(&mark))
		_, err := conn.Exec(t.Context(), "select pg_advisory_lock_shared($1)", mark)
		require.NoError(t, err)
		_, err = f.tenants.Suspend(timeoutContext(t), a.Slug, "")
		assert.NoError(t, err, name)
		_, err = conn.Exec(t.Context(), "select pg_advisory_unlock_all()")
		require.NoError(t, err)
	}
	f.expectInvariants(t)
}

func TestLockedStockedTenantIsNotAssigned(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: 2, StockOnly: true}, func(cfg *tenancy.Config) {
		cfg.Seed = func(context.Context, *tenancy.Tenant) error { return nil }
	})
	refill(t, m)
	_, err := f.pg.Pool.Exec(t.Context(), `insert into public.registry_locks (key, pid, backend_start, login)
		select 'tenant ' || (select min(id) from public.tenants), pid, backend_start, usesysid
		from pg_stat_activity where pid = pg_backend_pid()`)
	require.NoError(t, err)
	got, err := m.AssignStocked(t.Context(), createParams("a"))
	require.NoError(t, err)
	assert.Equal(t, int64(2), got.ID, "id of the assigned tenant")
	_, err = m.AssignStocked(t.Context(), createParams("b"))
	assert.ErrorIs(t, err, tenancy.ErrStockEmpty)
	_, err = f.pg.Pool.Exec(t.Context(), "delete from public.registry_locks")
	require.NoError(t, err)
}

// A refill that is killed after a tenant is ready and before it releases the tenant's lock leaves
// the row of the lock.
func TestStockedTenantIsAssignedAfterItsLockEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: 1, StockOnly: true}, func(cfg *tenancy.Config) {
		cfg.Seed = func(context.Context, *tenancy.Tenant) error { return nil }
	})
	refill(t, m)
	_, err := f.pg.Pool.Exec(t.Context(), `insert into public.registry_locks (key, pid, backend_start, login, taken_at)
		select 'tenant ' || id, 0, now() - interval '1 hour', 0, now() - interval '1 hour' from public.tenants`)
	require.NoError(t, err)
	_, err = m.AssignStocked(t.Context(), createParams("a"))
	assert.ErrorIs(t, err, tenancy.ErrStockEmpty)
	_, err = m.Refill(t.Context())
	require.NoError(t, err)
	_, err = m.AssignStocked(t.Context(), createParams("a"))
	require.NoError(t, err)
}

// lockTries is a tracer that reports each query for the holder of a lock that is not free.
type lockTries chan struct{}

func (c lockTries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "from public.registry_locks l left join pg_stat_activity") {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	return ctx
}

func (c lockTries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestOperationWaitsForAnotherOnTheSameTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Hooks.Before = func(context.Context, tenancy.StepData) error { close(entered); <-leave; return nil }
	})
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := slow.Suspend(t.Context(), "a", "first"); first <- err }()
	<-entered
	tries := make(lockTries, 3)
	pool := f.ownerPool(t, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = tries })
	m, err := tenancy.New(pool, tenancy.Config{Migrator: f.migrator, Roles: f.roles})
	require.NoError(t, err)
	go func() { _, err := m.Suspend(t.Context(), "a", "second"); second <- err }()
	for range 3 {
		select {
		case <-tries:
		case err := <-second:
			require.Fail(t, "the second change did not wait for the first", "%v", err)
		}
	}
	close(leave)
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	got, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "second", got.Reason)
}
