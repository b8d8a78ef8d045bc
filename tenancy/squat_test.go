package tenancy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/tenancy"
)

// squatter is a session of the runtime login with the rights of a tenant, whose SQL a stranger writes.
func (f *fixture) squatter(t *testing.T, tenant tenancy.Tenant) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Runtime(), "r"))
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	_, err = conn.Exec(t.Context(), "set role "+pgx.Identifier{f.roles.Tenant(tenant.Schema)}.Sanitize())
	check(t, err)
	return conn
}

// Advisory locks are everybody's, and their keys can be guessed or read: no operation waits for one
// that a tenant has taken.
func TestAdvisoryLocksThatATenantTakesHoldUpNoOperation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.create(t, "b")
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Stock, cfg.Drop = tenancy.StockConfig{Size: 1}, tenancy.DropConfig{Enabled: true}
	})
	f.squat(t, a)
	ctx := soon(t)
	check(t, m.Init(ctx))
	_, err := m.Suspend(ctx, "b", "")
	check(t, err)
	refill(t, m)
	_, err = m.Create(ctx, claimParams("c"))
	check(t, err)
	_, err = m.AssignStocked(ctx, claimParams("d"))
	check(t, err)
	s, err := m.StageReplacement(ctx, "b")
	check(t, err)
	_, err = s.Replace(ctx)
	check(t, err)
	check(t, s.Close(ctx))
	s, err = m.StageScratch(ctx)
	check(t, err)
	check(t, s.Close(ctx))
	aside, err := m.RetainedSchema(ctx, "b")
	check(t, err)
	_, err = m.RevertReplacement(ctx, "b", aside.Schema)
	check(t, err)
	_, err = m.Rename(ctx, "b", tenancy.RenameParams{Schema: "renamed"})
	check(t, err)
	_, err = m.SweepStagedSchemas(ctx)
	check(t, err)
	_, err = m.Drop(ctx, request(t, m, "b"))
	check(t, err)
}

// squat takes, as a tenant, each advisory lock that the library has ever taken, of all schemas and
// tenants there could be, shared and not.
func (f *fixture) squat(t *testing.T, tenant tenancy.Tenant) {
	t.Helper()
	for i, lock := range []string{"pg_try_advisory_lock", "pg_try_advisory_lock_shared"} {
		squatter := f.squatter(t, tenant)
		for _, key := range []string{
			"pgtenant.registry", "pgtenant.stock", "pgtenant.tenant.N", "pgtenant.side.N",
			"pgtenant.scratch.tenant_N", "pgtenant.scratch.tenant_N_rM", "pgtenant.scratch.renamed",
			"pgtenant.migrate.tenant_N", "pgtenant.migrate.tenant_N_rM", "pgtenant.migrate.public",
		} {
			_, err := squatter.Exec(t.Context(), "select "+lock+`(hashtextextended(replace(replace($1, 'N', n::text), 'M', m::text), 0))
				from generate_series(1 + $2, 20, 2) n, generate_series(1, 5) m`, key, i)
			check(t, err)
		}
	}
}

// connect opens a session of the owner's that has nothing to do.
func (f *fixture) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Owner(), "o"))
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// A row is a lock as long as its session lives, and no longer: whoever has its number afterwards,
// or its login, does not have it.
func TestALockOfASessionThatHasEndedIsTakenOver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, session := range map[string]string{
		"gone":             "select 0, now(), (select oid from pg_roles where rolname = $2)",
		"of another start": "select pid, backend_start - interval '1 ms', usesysid from pg_stat_activity where pid = $3 and $2 <> ''",
		"of another login": "select pid, backend_start, 1 from pg_stat_activity where pid = $3 and $2 <> ''",
	} {
		conn := f.connect(t)
		a := f.create(t, strings.ReplaceAll(name, " ", "-"))
		var mark int64
		check(t, f.pg.Pool.QueryRow(t.Context(), "insert into public.registry_locks (key, pid, backend_start, login) select 'tenant ' || $1::bigint, x.* from ("+
			session+") x where $3 > 0 returning mark", a.ID, f.roles.Owner(), int32(conn.PgConn().PID())).Scan(&mark))
		_, err := conn.Exec(t.Context(), "select pg_advisory_lock_shared($1)", mark)
		check(t, err)
		_, err = f.tenants.Suspend(soon(t), a.Slug, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err = conn.Exec(t.Context(), "select pg_advisory_unlock_all()")
		check(t, err)
	}
	f.expectInvariants(t)
}

func TestAStockedTenantWhoseLockIsHeldIsNotClaimed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stocking(t, tenancy.StockConfig{Size: 2, StockOnly: true}, func(cfg *tenancy.Config) {
		cfg.Seed = func(context.Context, *tenancy.Tenant) error { return nil }
	})
	refill(t, m)
	_, err := f.pg.Pool.Exec(t.Context(), `insert into public.registry_locks (key, pid, backend_start, login)
		select 'tenant ' || (select min(id) from public.tenants), pid, backend_start, usesysid from pg_stat_activity where pid = pg_backend_pid()`)
	check(t, err)
	got, err := m.AssignStocked(t.Context(), claimParams("a"))
	check(t, err)
	if got.ID != 2 {
		t.Errorf("claimed tenant %d", got.ID)
	}
	_, err = m.AssignStocked(t.Context(), claimParams("b"))
	expectIs(t, err, tenancy.ErrStockEmpty)
	_, err = f.pg.Pool.Exec(t.Context(), "delete from public.registry_locks")
	check(t, err)
}

// A refill that is killed before it releases the lock of a tenant that is ready leaves the row of
// it.
func TestAStockedTenantIsClaimedAfterItsLockHasEnded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stocking(t, tenancy.StockConfig{Size: 1, StockOnly: true}, func(cfg *tenancy.Config) {
		cfg.Seed = func(context.Context, *tenancy.Tenant) error { return nil }
	})
	refill(t, m)
	_, err := f.pg.Pool.Exec(t.Context(), `insert into public.registry_locks (key, pid, backend_start, login, taken_at)
		select 'tenant ' || id, 0, now() - interval '1 hour', 0, now() - interval '1 hour' from public.tenants`)
	check(t, err)
	_, err = m.AssignStocked(t.Context(), claimParams("a"))
	expectIs(t, err, tenancy.ErrStockEmpty)
	_, err = m.Refill(t.Context())
	check(t, err)
	_, err = m.AssignStocked(t.Context(), claimParams("a"))
	check(t, err)
}

// tries is a tracer that says when a session asks who has a lock that it did not get.
type tries chan struct{}

func (c tries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "from public.registry_locks l left join pg_stat_activity") {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	return ctx
}

func (c tries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestAnOperationOfOursIsWaitedForHoweverLongItTakes(t *testing.T) {
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
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Owner(), "o"))
	check(t, err)
	anew := make(tries, 3)
	cfg.ConnConfig.Tracer = anew
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	m, err := tenancy.New(pool, tenancy.Config{Migrator: f.migrator, Roles: f.roles})
	check(t, err)
	go func() { _, err := m.Suspend(t.Context(), "a", "second"); second <- err }()
	for range 3 {
		select {
		case <-anew:
		case err := <-second:
			t.Fatalf("did not wait: %v", err)
		}
	}
	close(leave)
	check(t, <-first)
	check(t, <-second)
	got, err := f.tenants.BySlug(t.Context(), "a")
	check(t, err)
	if got.Reason != "second" {
		t.Errorf("the reason is %q", got.Reason)
	}
}
