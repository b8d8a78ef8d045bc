package backup_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// token requests a drop and returns the parameters of an erasure.
func (f *fixture) token(t testing.TB, slug string) backup.EraseParams {
	t.Helper()
	r, err := f.tenants.RequestDrop(t.Context(), slug, "ada")
	require.NoError(t, err)
	return backup.EraseParams{DropParams: tenancy.DropParams{Slug: slug, Actor: "ada", Token: r.Token}}
}

// logs is an eraser that keeps rows.
var logs = backup.EraserFunc(func(_ context.Context, d backup.EraseData) (backup.EraseResult, error) {
	return backup.EraseResult{
		Removed: []backup.CertifiedItem{{What: "addresses in the access log"}},
		Kept: []backup.CertifiedItem{{
			What: "rows of the access log", Name: "3",
			Why: "without names, for the auditors of " + d.Slug,
		}},
	}, nil
})

// backedUp creates n tenants. The first one has a backup and a file that is no backup.
func backedUp(t testing.TB, n int) (*fixture, tenancy.Tenant, backup.Info) {
	t.Helper()
	f, tenants := scheduled(t, n)
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "t1", backup.BackupOptions{})
	require.NoError(t, err)
	f.put(t, f.own(t)+"1-t1/handover.dump", "?")
	return f, tenants[0], info
}

func TestAnErasureIsCertified(t *testing.T) {
	t.Parallel()
	f, tenant, info := backedUp(t, 2)
	_, err := f.tenants.Rename(t.Context(), "t1", tenancy.RenameParams{Schema: "renamed"})
	require.NoError(t, err)
	other, err := f.service(t, backup.Config{}).Backup(t.Context(), "t2", backup.BackupOptions{})
	require.NoError(t, err)
	unfinished, err := f.dir.Create(t.Context(), f.own(t)+
		"1-t1/half.tar") // by a process that was killed or is still running
	require.NoError(t, err)
	_, err = unfinished.Write([]byte("rows of the tenant"))
	require.NoError(t, err)
	s := f.service(t, backup.Config{Erasers: []backup.Eraser{logs}})
	p := f.token(t, "t1")
	c, err := s.Erase(t.Context(), p)
	require.NoError(t, err)
	assert.Error(t, unfinished.Commit(), "an unfinished file was committed")
	assert.Len(t, f.files(t), 2)

	want := []string{other.Name, other.Name + ".json"}
	assert.Equal(t, want, f.objects(t), "store has")
	_, err = f.tenants.ByID(t.Context(), tenant.ID)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	text := c.Text()
	for _, want := range []string{
		"Tenant 1 (t1), requested by ada", "- schema with its contents renamed",
		"- schema with its contents " + tenant.Schema,
		"- role " + f.roles.Tenant("renamed"), "- domain t1.example.com", "- file in the backup store " + info.Name + "\n",
		"- file in the backup store " + info.Name + ".json", "- file in the backup store " + f.own(t) + "1-t1/handover.dump",
		"- unfinished file in the backup store " + f.own(t) + "1-t1/.half.tar.",
		"- addresses in the access log",
		"- rows of the access log 3: without names, for the auditors of t1", "- drop request 1:",
		"- name of the schema renamed: is never used again",
	} {
		assert.Contains(t, text, want, "%q is not in\n%s", want, text)
	}
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	var decoded backup.Certificate
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	again, err := s.Erase(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, c, again)
	assert.Equal(t, c, decoded)
	_, err = s.Erase(t.Context(), backup.EraseParams{DropParams: tenancy.DropParams{Slug: "nobody", Actor: "ada"}})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestKeptArchivesAreDeletedWhenTheyExpire(t *testing.T) {
	t.Parallel()
	f, _, info := backedUp(t, 1)
	s := f.service(t, backup.Config{})
	p := f.token(t, "t1")
	p.KeepArchives = 30 * 24 * time.Hour
	c, err := s.Erase(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, p.KeepArchives, c.ArchivesUntil.Sub(c.ErasedAt))
	assert.Contains(t, c.Text(), info.Name+": kept for 720h0m0s")
	removed, err := s.PruneErased(t.Context())
	require.NoError(t, err)
	if assert.Empty(t, removed) {
		assert.Len(t, f.objects(t), 3)
	}
	f.exec(t, "public", "update public.backup_erasures set archives_until = now() - interval '1 second'")
	require.NoError(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}),
		backup.ScheduleReport{})) // the schedule removes it
	f.expectEmpty(t)
	removed, err = s.PruneErased(t.Context())
	require.NoError(t, err)
	assert.Empty(t, removed, "removed %q once more", removed)
}

func TestARefusedErasureChangesNothing(t *testing.T) {
	t.Parallel()
	f, tenant, _ := backedUp(t, 1)
	s := f.service(t, backup.Config{})
	before := f.objects(t)
	good := f.token(t, "t1")
	wrong, negative, odd := good, good, good
	wrong.Token, negative.KeepArchives, odd.KeepArchives = "wrong", -time.Second, time.Millisecond
	for _, p := range []backup.EraseParams{wrong, negative, odd} {
		_, err := s.Erase(t.Context(), p)
		assert.Error(t, err, "%+v was accepted", p)
	}
	_, err := s.Erase(t.Context(), wrong)
	assert.ErrorIs(t, err, tenancy.ErrDropToken)
	now, err := f.tenants.ByID(t.Context(), tenant.ID)
	require.NoError(t, err)
	var recorded int
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from public.backup_erasures").Scan(&recorded))
	assert.Equal(t, tenant.Version, now.Version)
	assert.Zero(t, recorded, "erasures are recorded")
	assert.Equal(t, before, f.objects(t))
}

// An erasure is recorded before its drop is refused. If the drop of another request has begun, the
// record stays.
func TestARefusedErasureDoesNotAffectADropOfAnotherActor(t *testing.T) {
	t.Parallel()
	f, tenant, _ := backedUp(t, 1)
	s := f.service(t, backup.Config{})
	before := f.objects(t)
	p := f.token(t, "t1")
	f.exec(t, "public", "update public.tenants set status = 'dropping'") // a drop has stopped midway
	eve := backup.EraseParams{DropParams: tenancy.DropParams{Slug: "t1", Actor: "eve", Token: "guessed"}}
	_, err := s.Erase(t.Context(), eve)
	assert.ErrorIs(t, err, tenancy.ErrDropToken)
	_, err = f.tenants.Drop(t.Context(), p.DropParams)
	require.NoError(t, err)
	done, err := s.ResumeErasures(t.Context())
	require.NoError(t, err)
	_, err = s.Erase(t.Context(), eve)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	assert.Empty(t, done, "tenant %d", tenant.ID)
	assert.Equal(t, before, f.objects(t))
}

func TestARefusedErasureDoesNotAffectAnotherErasure(t *testing.T) {
	t.Parallel()
	f, _, _ := backedUp(t, 1)
	meddle := func(ctx context.Context, e tenancy.DropEvent) {
		if e.Phase == tenancy.DropDone && e.Actor == "ada" { // the record has eve's changes
			_, err := f.pg.Pool.Exec(ctx, "update public.backup_erasures set actor = 'eve', keep_archives = '0'")
			require.NoError(t, err)
		}
	}
	var err error
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{
		Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{Enabled: true, Notify: meddle},
	})
	require.NoError(t, err)
	s := f.service(t, backup.Config{})
	before := f.objects(t)
	p := f.token(t, "t1")
	p.KeepArchives = time.Hour
	c, err := s.Erase(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, "ada", c.Actor)
	assert.NotZero(t, c.ArchivesUntil)
	assert.Equal(t, before, f.objects(t))
}

func TestAnInterruptedErasureContinuesWithoutAToken(t *testing.T) {
	t.Parallel()
	f, _, info := backedUp(t, 1)
	broken := errors.New("log is away")
	fails := backup.EraserFunc(func(context.Context, backup.EraseData) (backup.EraseResult, error) {
		return backup.EraseResult{}, broken
	})
	_, err := f.service(t, backup.Config{Erasers: []backup.Eraser{fails}}).Erase(t.Context(), f.token(t, "t1"))
	assert.ErrorIs(t, err, broken)
	f.expectEmpty(t)
	s := f.service(t, backup.Config{Erasers: []backup.Eraser{logs}})
	c, err := s.Erase(t.Context(), backup.EraseParams{DropParams: tenancy.DropParams{Slug: "t1", Actor: "eve"}})
	require.NoError(t, err)
	assert.Equal(t, "ada", c.Actor)
	assert.Contains(t, c.Text(), info.Name) // the first attempt deleted it
}

func TestAnErasureFinishesAlthoughANewTenantHasTheSlug(t *testing.T) {
	t.Parallel()
	f, tenant, _ := backedUp(t, 1)
	fails := backup.EraserFunc(func(context.Context, backup.EraseData) (backup.EraseResult, error) {
		return backup.EraseResult{}, errors.New("away")
	})
	_, err := f.service(t, backup.Config{Erasers: []backup.Eraser{fails}}).Erase(t.Context(), f.token(t, "t1"))
	require.Error(t, err, "no error")
	next := f.create(t, "t1")
	s := f.service(t, backup.Config{})
	_, err = s.Erase(t.Context(), backup.EraseParams{DropParams: tenancy.DropParams{Slug: "t1", Actor: "ada"}})
	assert.ErrorIs(t, err, tenancy.ErrDropToken) // the slug belongs to the new tenant
	done, err := s.ResumeErasures(t.Context())
	require.NoError(t, err)
	if assert.Len(t, done, 1, "finished") {
		assert.Equal(t, tenant.ID, done[0].TenantID, "finished")
	}
	_, err = f.tenants.ByID(t.Context(), next.ID)
	require.NoError(t, err)
	done, err = s.ResumeErasures(t.Context())
	assert.NoError(t, err, "finished %+v again", done)
	assert.Empty(t, done, "finished %+v again", done)
}

func TestLeftoversAreFound(t *testing.T) {
	t.Parallel()
	f, tenant, _ := backedUp(t, 1)
	role := f.roles.Tenant(tenant.Schema)
	meddles := backup.EraserFunc(func(ctx context.Context, d backup.EraseData) (backup.EraseResult, error) {
		_, err := f.pg.Pool.Exec(ctx, "create role "+role)
		f.put(t, f.own(t)+"1-t1/late.tar", "?")
		return backup.EraseResult{}, err
	})
	_, err := f.service(t, backup.Config{Erasers: []backup.Eraser{meddles}}).Erase(t.Context(), f.token(t, "t1"))
	var left *backup.LeftoverError
	want := []string{"role " + role, f.own(t) + "1-t1/late.tar"}
	if assert.ErrorAs(t, err, &left) && assert.Equal(t, want, left.Leftovers) {
		assert.ErrorIs(t, err, backup.ErrLeftover)
	}
	_, err = f.pg.Pool.Exec(t.Context(), "drop role "+role)
	require.NoError(t, err)
	_, err = f.service(t, backup.Config{}).Erase(t.Context(),
		backup.EraseParams{DropParams: tenancy.DropParams{Slug: "t1"}})
	require.NoError(t, err)
	f.expectEmpty(t)
}

func TestAKilledErasureContinues(t *testing.T) {
	t.Parallel()
	if os.Getenv(killURL) != "" {
		eraseAndDie(t)
	}
	f, tenant, info := backedUp(t, 1)
	f.runToDeath(t, f.token(t, "t1").Token)
	_, err := f.tenants.ByID(t.Context(), tenant.ID)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	done, err := f.service(t, backup.Config{}).ResumeErasures(t.Context())
	require.NoError(t, err)
	if assert.Len(t, done, 1, "finished") {
		assert.Contains(t, done[0].Text(), info.Name, "finished")
	}
	f.expectEmpty(t)
}

// eraseAndDie runs in a process that is killed after the tenant and its first file are gone.
func eraseAndDie(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), os.Getenv(killURL))
	require.NoError(t, err)
	roles, err := schemactx.NewRoleNames(os.Getenv(killPrefix))
	require.NoError(t, err)
	f := &fixture{pg: &pgtest.DB{Pool: pool}, roles: roles, owner: pool}
	f.connect(t, notes)
	f.dir, err = backup.OpenDir(os.Getenv(killDir))
	require.NoError(t, err)
	s := f.service(t, backup.Config{Store: &deadly{f.dir, func() { die(t) }}})
	_, err = s.Erase(t.Context(), backup.EraseParams{DropParams: tenancy.DropParams{
		Slug: "t1", Actor: "ada",
		Token: os.Getenv(killWhen),
	}})
	require.Fail(t, "the process was not killed", "%v", err)
}

// deadly is a store that calls a function after the first file was deleted.
type deadly struct {
	*backup.Dir
	after func()
}

func (d *deadly) Delete(ctx context.Context, name string) error {
	err := d.Dir.Delete(ctx, name)
	if err == nil {
		d.after()
	}
	return err
}

// A process that is killed between its commit and its last check of the tenant leaves an archive of
// an erased tenant.
func TestAFileCommittedAfterAnErasureIsDeletedADayLater(t *testing.T) {
	t.Parallel()
	f, _, _ := backedUp(t, 1)
	s := f.service(t, backup.Config{})
	c, err := s.Erase(t.Context(), f.token(t, "t1"))
	require.NoError(t, err)
	f.put(t, f.own(t)+"1-t1/late.tar", "rows of the tenant")
	removed, err := s.PruneErased(t.Context())
	if assert.NoError(t, err, "removed %q, kept until %v", removed, c.ArchivesUntil) &&
		assert.Empty(t, removed, "removed %q, kept until %v", removed, c.ArchivesUntil) {
		assert.True(t, c.ArchivesUntil.IsZero(), "removed %q, kept until %v: %v", removed, c.ArchivesUntil, err)
	}
	f.exec(t, "public", "update public.backup_erasures set archives_until = archives_until - interval '1 day'")
	removed, err = s.PruneErased(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{f.own(t) + "1-t1/late.tar"}, removed)
	f.expectEmpty(t)
}
