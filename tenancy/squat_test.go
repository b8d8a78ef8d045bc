package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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

func expectLocked(t *testing.T, err error, f *fixture) {
	t.Helper()
	var locked *tenancy.LockedError
	if !errors.As(err, &locked) || !errors.Is(err, tenancy.ErrLocked) || locked.PID == 0 || locked.User != f.roles.Runtime() {
		t.Errorf("got %v, want a LockedError of %s", err, f.roles.Runtime())
	}
}

// Advisory locks are everybody's, and their keys can be guessed: who takes one of ours is found out.
func TestALockThatATenantTakesStallsNothingForEver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	b := f.create(t, "b")
	m := f.stocking(t, tenancy.StockConfig{Size: 1})
	squatter := f.squatter(t, a)
	for _, key := range []string{"'pgtenant.registry'", "'pgtenant.stock'", "'pgtenant.tenant.' || n"} {
		_, err := squatter.Exec(t.Context(), "select pg_advisory_lock(hashtextextended("+key+", 0)) from generate_series(2, 100) n")
		check(t, err)
	}
	ctx := soon(t)
	check(t, m.Init(ctx))
	_, err := m.Suspend(ctx, b.Slug, "")
	expectLocked(t, err, f)
	report, err := m.Refill(ctx)
	expectLocked(t, err, f)
	if report.Busy {
		t.Error("a stranger was taken for a process that refills")
	}
	before := f.rows(t)
	_, err = m.Create(ctx, tenancy.CreateParams{Slug: "c", Domain: "c.example.com"})
	expectIs(t, err, tenancy.ErrLocked)
	if after := f.rows(t); after != before {
		t.Errorf("a refused create changed %v to %v", before, after)
	}
	_, err = m.Suspend(ctx, a.Slug, "squats") // whose lock nobody has
	check(t, err)

	check(t, squatter.Close(ctx))
	f.create(t, "c")
	refill(t, m)
	f.expectInvariants(t)
}

// timeouts is a tracer that says when a wait for a lock is given up.
type timeouts chan struct{}

func (c timeouts) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (c timeouts) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	var pgErr *pgconn.PgError
	if errors.As(data.Err, &pgErr) && pgErr.Code == "55P03" {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

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
	anew := make(timeouts, 1)
	cfg.ConnConfig.Tracer = anew
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	m, err := tenancy.New(pool, tenancy.Config{Migrator: f.migrator, Roles: f.roles})
	check(t, err)
	go func() { _, err := m.Suspend(t.Context(), "a", "second"); second <- err }()
	select {
	case <-anew:
	case err := <-second:
		t.Errorf("did not wait: %v", err)
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
