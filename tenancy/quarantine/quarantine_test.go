package quarantine_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/quarantine"
)

func TestAFailedTenantDoesNotAffectOthers(t *testing.T) {
	t.Parallel()
	f := setup(t, "good", "failing", "locked", "newer", "fits", "odd")
	migrated(t, f.release(t, 1), "good", "failing", "locked")
	migrated(t, f.release(t, 3), "newer")
	migrated(t, f.release(t, 3, func(c *migrate.Config) { c.Tenant[0].CompatibleFrom = 2 }), "fits")
	f.exec(t, "create table failing.t2 (); create table odd.goose_db_version ()")
	lock, err := f.pg.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = lock.Exec(t.Context(), "select pg_advisory_xact_lock(hashtextextended('pgtenant.migrate.locked', 0))")
	require.NoError(t, err)

	program := f.release(t, 2)
	report, err := program.UpAll(t.Context(), f.list, migrate.UpAllOptions{})
	require.ErrorIs(t, err, migrate.ErrIncomplete)
	require.NoError(t, report.Stopped)
	q := f.open(t, program, func(c *quarantine.Config) { c.Results = report.Results })
	assert.NotContains(t, f.log.String(), "schema=failing reason=behind")

	expectServed(t, q, "good", "fits")
	expectKeptOut(t, q, "failing", quarantine.Failed)
	expectKeptOut(t, q, "newer", quarantine.Newer)
	expectKeptOut(t, q, "odd", quarantine.BadTable)
	var failure *migrate.Error
	require.ErrorAs(t, q.Of("failing").Err, &failure)
	assert.Equal(t, int64(2), failure.Version)
	assert.Equal(t, []int64{2}, q.Of("failing").Pending)
	assert.NotNil(t, q.Of("locked"))
	assert.Len(t, q.List(), 4)
	for _, line := range []string{
		"schema=failing reason=failed", "schema=newer reason=newer", "schema=odd reason=bad_table",
	} {
		assert.Contains(t, f.log.String(), line)
	}

	require.NoError(t, lock.Rollback(t.Context()))
	f.exec(t, "drop table failing.t2; drop table odd.goose_db_version")
	elsewhere := f.release(t, 2) // stands for another process
	migrated(t, elsewhere, "failing", "locked", "odd")
	_, err = f.release(t, 3).DownTo(t.Context(), "newer", 2)
	require.NoError(t, err)
	eventually(t, func() bool { return len(q.List()) == 0 }, "no schema is in quarantine")
	expectServed(t, q, "good", "failing", "locked", "newer", "fits", "odd")
	assert.Contains(t, f.log.String(), "tenant left quarantine")
}

func TestATenantEntersQuarantineWhileTheProgramRuns(t *testing.T) {
	t.Parallel()
	f := setup(t, "a", "b")
	program := f.release(t, 2)
	migrated(t, program, "a", "b")
	q := f.open(t, program)
	expectServed(t, q, "a", "b")

	migrated(t, f.release(t, 3), "a")
	eventually(t, func() bool { return q.Of("a") != nil }, "a newer program was here")
	expectKeptOut(t, q, "a", quarantine.Newer)
	expectServed(t, q, "b")

	_, err := program.DownTo(t.Context(), "b", 1)
	require.NoError(t, err)
	eventually(t, func() bool { return q.Of("b") != nil }, "a migration was undone")
	expectKeptOut(t, q, "b", quarantine.Behind)

	f.exec(t, "drop schema a cascade")
	eventually(t, func() bool { e := q.Of("a"); return e != nil && e.Reason == quarantine.Missing }, "the schema is gone")
	f.mu.Lock()
	f.schemas = []string{"b"}
	f.mu.Unlock()
	eventually(t, func() bool { return q.Of("a") == nil }, "the tenant is gone")
}

func TestAnEditedSchemaIsServedUnlessMigrationsArePending(t *testing.T) {
	t.Parallel()
	f := setup(t, "whole", "half")
	migrated(t, f.release(t, 2), "whole")
	migrated(t, f.release(t, 1), "half")
	spaced := files(2)
	spaced["00001_table.sql"].Data = []byte("-- +goose Up\ncreate table t1  (id int);\n")
	for policy, reason := range map[migrate.Policy]string{
		migrate.Refuse: quarantine.Edited, migrate.Allow: quarantine.Behind,
	} {
		q := f.open(t, f.release(t, 2, func(c *migrate.Config) { c.Tenant[0].FS, c.Changed = spaced, policy }))
		expectServed(t, q, "whole")
		expectKeptOut(t, q, "half", reason)
	}
	strict := f.release(t, 2, func(c *migrate.Config) { c.Tenant[0].FS, c.Changed = spaced, migrate.Refuse })
	q := f.open(t, strict)
	_, err := strict.Accept(t.Context(), "half")
	require.NoError(t, err)
	migrated(t, strict, "half")
	eventually(t, func() bool { return q.Of("half") == nil }, "it was accepted and migrated")
}

func TestAnUnknownSchemaIsCheckedWithItsFirstRequest(t *testing.T) {
	t.Parallel()
	f := setup(t, "old")
	program := f.release(t, 2)
	migrated(t, program, "old")
	seldom := func(c *quarantine.Config) { c.Interval, c.Recheck = time.Hour, time.Hour }
	q := f.open(t, program, seldom)
	f.add(t, "made")
	f.add(t, "ahead")
	f.add(t, "empty")
	migrated(t, program, "made")
	migrated(t, f.release(t, 3), "ahead")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { assert.NoError(t, q.Admit(t.Context(), tenant("made"))) })
	}
	wg.Wait()
	expectServed(t, q, "made")
	expectKeptOut(t, q, "ahead", quarantine.Newer)
	expectKeptOut(t, q, "empty", quarantine.Behind)
	expectKeptOut(t, q, "nowhere", quarantine.Missing)
	migrated(t, program, "empty")
	q.Migrated(t.Context(), migrate.Result{Schema: "empty", Outcome: migrate.Migrated}) // by this program: served at once
	expectServed(t, q, "empty")
}

func TestWithoutADatabaseUnknownSchemasAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, "known")
	pool, err := pgxpool.New(t.Context(), f.pg.URL)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	program, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: files(1)}}})
	require.NoError(t, err)
	migrated(t, program, "known")
	q := f.open(t, program)
	expectServed(t, q, "known")

	pool.Close()
	_, err = quarantine.New(t.Context(), quarantine.Config{Runner: program, Schemas: f.list})
	require.Error(t, err)
	expectKeptOut(t, q, "a", quarantine.Unknown)
	assert.Error(t, q.Of("a").Err)
	assert.Equal(t, 1, q.Status().Counts[quarantine.Unknown])
	eventually(t, func() bool { return q.Status().Err != nil }, "the look fails")
	require.Error(t, q.Refresh(t.Context()))
	expectServed(t, q, "known")
	expectKeptOut(t, q, "a", quarantine.Unknown)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, q.Admit(ctx, tenant("b"))) // a canceled request does not wait
}

func TestALockedVersionTableKeepsTheState(t *testing.T) {
	t.Parallel()
	f := setup(t, "served", "behind")
	program := f.release(t, 2)
	migrated(t, program, "served")
	migrated(t, f.release(t, 1), "behind")
	q := f.open(t, program, func(c *quarantine.Config) { c.Interval, c.Recheck = time.Hour, time.Hour })
	tx, err := f.pg.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table served.goose_db_version, behind.goose_db_version in access exclusive mode")
	require.NoError(t, err)
	require.NoError(t, q.Refresh(t.Context()))
	expectServed(t, q, "served")
	expectKeptOut(t, q, "behind", quarantine.Behind)
	f.add(t, "late")
	migrated(t, program, "late")
	_, err = tx.Exec(t.Context(), "lock table late.goose_db_version in access exclusive mode")
	require.NoError(t, err)
	require.NoError(t, q.Refresh(t.Context()))
	expectKeptOut(t, q, "late", quarantine.Unknown) // it was never checked
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, q.Refresh(t.Context()))
	expectServed(t, q, "late")
}

func TestChangedIsCalled(t *testing.T) {
	t.Parallel()
	f := setup(t, "a")
	program := f.release(t, 1)
	var calls []string
	q, err := quarantine.New(
		t.Context(),
		quarantine.Config{Runner: program, Schemas: f.list, Changed: func(_ context.Context, c quarantine.Change) {
			text := c.Schema + ": "
			if c.Before != nil {
				text += c.Before.Reason
			}
			text += " -> "
			if c.After != nil {
				text += c.After.Reason
			}
			calls = append(calls, text)
		}},
	)
	require.NoError(t, err)
	f.exec(t, "create table a.t1 ()")
	res, err := program.Up(t.Context(), "a")
	require.Error(t, err)
	q.Migrated(t.Context(), res)
	require.NoError(t, q.Refresh(t.Context()))
	f.exec(t, "drop table a.t1")
	res, err = program.Up(t.Context(), "a")
	require.NoError(t, err)
	q.Migrated(t.Context(), res)
	_, err = program.Down(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, q.Refresh(t.Context()))
	assert.Equal(t, []string{"a:  -> behind", "a: behind -> failed", "a: failed -> ", "a:  -> behind"}, calls)
}

func TestAdmittingCostsNoAllocation(t *testing.T) {
	f := setup(t, "a")
	program := f.release(t, 1)
	migrated(t, program, "a")
	q, err := quarantine.New(t.Context(), quarantine.Config{Runner: program, Schemas: f.list})
	require.NoError(t, err)
	ctx, a := t.Context(), tenant("a")
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = q.Admit(ctx, a) }))
}

func TestInvalidConfigsAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	good := quarantine.Config{Runner: f.release(t, 1), Schemas: f.list}
	for name, change := range map[string]func(c *quarantine.Config){
		"no runner":   func(c *quarantine.Config) { c.Runner = nil },
		"no list":     func(c *quarantine.Config) { c.Schemas = nil },
		"interval":    func(c *quarantine.Config) { c.Interval = -1 },
		"recheck":     func(c *quarantine.Config) { c.Recheck = 25 * time.Hour },
		"timeout":     func(c *quarantine.Config) { c.Timeout = time.Nanosecond },
		"first":       func(c *quarantine.Config) { c.FirstTimeout = -time.Second },
		"retry after": func(c *quarantine.Config) { c.RetryAfter = -time.Second },
	} {
		cfg := good
		change(&cfg)
		_, err := quarantine.New(t.Context(), cfg)
		assert.Error(t, err, name)
	}
	w := request(f.open(t, good.Runner), "nowhere")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.NotContains(t, w.Body.String(), "nowhere") // the client does not see the name of the schema
	var refused *tenancy.QuarantineError
	assert.NotErrorAs(t, good.Runner.Migrate(t.Context(), "Bad"), &refused)
}
