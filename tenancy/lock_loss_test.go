package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// terminateLockSessions terminates the sessions that hold locks of tenants, as an administrator or
// a restart of the server does.
func (f *fixture) terminateLockSessions(t *testing.T) {
	t.Helper()
	var n int
	require.NoError(t, f.pg.Pool.QueryRow(context.Background(), `select count(*) from (
		select pg_terminate_backend(pid, 10000) from (select distinct pid from public.registry_locks) l) x`).Scan(&n))
	assert.Equal(t, 1, n, "sessions that held locks")
}

// loseLockBefore returns a manager that loses its lock before a step.
func (f *fixture) loseLockBefore(t *testing.T, cfg tenancy.Config, step string) *tenancy.Manager {
	t.Helper()
	cfg.Hooks.Before = func(_ context.Context, d tenancy.StepData) error {
		if d.Step == step {
			f.terminateLockSessions(t)
		}
		return nil
	}
	cfg.Hooks.After = func(_ context.Context, d tenancy.StepData) {
		if d.Step == step {
			assert.ErrorIs(t, d.Err, tenancy.ErrLockLost, "error that the hook receives")
		}
	}
	return f.manager(t, cfg)
}

// expectLockLost expects that an operation stopped at a step because its lock was lost.
func expectLockLost(t *testing.T, err error, step string) {
	t.Helper()
	var stopped *tenancy.StepError
	if assert.ErrorAs(t, err, &stopped) {
		assert.Equal(t, step, stopped.Step)
		assert.ErrorIs(t, err, tenancy.ErrLockLost)
	}
}

func TestStepDoesNotBeginWithoutLock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	unexpected := errors.New("the step was executed")
	f.migrator.err.Store(&unexpected)
	p := tenancy.CreateParams{Slug: "a", Domain: "a.example.com"}
	_, err := f.loseLockBefore(t, tenancy.Config{}, "migrate").Create(t.Context(), p)
	expectLockLost(t, err, "migrate")
	assert.NotErrorIs(t, err, unexpected)
	f.migrator.err.Store(nil)
	a, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Provisioning, a.Status)
	assert.Empty(t, failureOf(a), "an operation without its lock records no failure")
	a, err = f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	f.insertNote(t, a, "of a")

	_, err = f.loseLockBefore(t, tenancy.Config{}, "status").Suspend(t.Context(), "a", "unpaid")
	expectLockLost(t, err, "status")
	_, err = f.loseLockBefore(t, tenancy.Config{}, "domain").AddDomain(t.Context(), "a", "alias.example.com")
	expectLockLost(t, err, "domain")
	renaming := f.loseLockBefore(t, tenancy.Config{}, "schema")
	_, err = renaming.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "renamed"})
	expectLockLost(t, err, "schema")
	a, err = f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, a.Status)
	assert.Equal(t, "renamed", a.Schema)
	f.expectHosts(t, "a", "a!")
	f.expectNote(t, a, "of a")
	f.expectInvariants(t)
}

func TestDropWithoutLockDeletesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.insertNote(t, a, "of a")
	cfg := tenancy.Config{Drop: tenancy.DropConfig{Enabled: true}}
	for _, step := range []string{"mark", "schema"} {
		m := f.loseLockBefore(t, cfg, step)
		r, err := m.RequestDrop(t.Context(), "a", "alice")
		require.NoError(t, err)
		_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: "alice"})
		expectLockLost(t, err, step)
		var n int
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from "+a.Schema+".notes").Scan(&n))
		assert.Equal(t, 1, n, "notes")
	}
	a, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Dropping, a.Status)
}

// slowMigrator migrates a tenant until its context ends.
type slowMigrator struct {
	tenancy.Migrator
	begun chan struct{}
	cause error
}

func (s *slowMigrator) Migrate(ctx context.Context, schema string) error {
	if schema == schemactx.Public {
		return s.Migrator.Migrate(ctx, schema)
	}
	close(s.begun)
	<-ctx.Done()
	s.cause = context.Cause(ctx)
	return ctx.Err()
}

func TestLongStepEndsWhenLockIsLost(t *testing.T) {
	t.Parallel()
	f := setup(t)
	slow := &slowMigrator{Migrator: f.migrator, begun: make(chan struct{})}
	m, err := tenancy.New(f.owner, tenancy.Config{Migrator: slow, Roles: f.roles})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := m.Create(timeoutContext(t), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
		ended <- err
	}()
	<-slow.begun
	f.terminateLockSessions(t)
	err = <-ended
	expectLockLost(t, err, "migrate")
	assert.ErrorIs(t, slow.cause, tenancy.ErrLockLost)
	_, err = f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	f.expectInvariants(t)
}

func TestLockCheckDoesNotDisturbLongStep(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.manager(t, tenancy.Config{Seed: func(ctx context.Context, tenant *tenancy.Tenant) error {
		_, err := f.pg.Pool.Exec(ctx, "select pg_sleep(2.5)") // the lock is checked every second
		return err
	}})
	_, err := m.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	require.NoError(t, err)
	f.expectInvariants(t)
}

// The step has succeeded, but maybe at the same time as another operation.
func TestStepThatIgnoresLostLockFails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.manager(t, tenancy.Config{Seed: func(ctx context.Context, _ *tenancy.Tenant) error {
		f.terminateLockSessions(t)
		<-ctx.Done()
		return nil
	}})
	_, err := m.Create(timeoutContext(t), tenancy.CreateParams{Slug: "a"})
	expectLockLost(t, err, "seed")
	require.NoError(t, resume(t.Context(), f.tenants, "a"))
	f.expectInvariants(t)
}
