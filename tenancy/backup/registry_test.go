package backup_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// shared returns two databases with schedules that share one store. Both have a tenant 1 of the
// same slug.
func shared(t *testing.T) (production, staging *fixture) {
	t.Helper()
	production, _ = scheduled(t, 1)
	staging, _ = scheduled(t, 1)
	staging.dir, staging.path = production.dir, production.path
	return production, staging
}

func backUp(t testing.TB, s *backup.Service, slug string) backup.Info {
	t.Helper()
	info, err := s.Backup(t.Context(), slug, backup.BackupOptions{})
	require.NoError(t, err)
	return info
}

func TestTwoRegistriesShareAStore(t *testing.T) {
	t.Parallel()
	production, staging := shared(t)
	p, s := production.service(t, backup.Config{}), staging.service(t, backup.Config{})
	first, second := backUp(t, p, "t1"), backUp(t, p, "t1")
	own := backUp(t, s, "t1")
	require.Equal(t, first.TenantID, own.TenantID)
	require.NotEqual(t, first.Registry, own.Registry)

	pruned, err := s.Prune(t.Context(), own.TenantID, backup.Retention{Last: 1})
	require.NoError(t, err)
	assert.Empty(t, pruned)
	assert.Equal(t, map[string]int{"t1": 1}, staging.count(t))
	assert.Equal(t, map[string]int{"t1": 2}, production.count(t))

	for _, name := range []string{first.Name, second.Name} {
		var foreign *backup.OtherRegistryError
		_, err = s.Restore(t.Context(), name, backup.RestoreOptions{Replace: "t1", AnyTenant: true})
		require.ErrorAs(t, err, &foreign)
		assert.Equal(t, backup.OtherRegistryError{Name: name, Registry: first.Registry, Own: own.Registry}, *foreign)
		_, err = s.Verify(t.Context(), name, backup.RestoreOptions{})
		require.ErrorIs(t, err, backup.ErrOtherRegistry)
	}
	restored, err := s.Restore(t.Context(), first.Name,
		backup.RestoreOptions{AnyRegistry: true, Slug: "copy", Domain: "copy.example.com"})
	require.NoError(t, err)
	assert.Equal(t, "copy", restored.Tenant.Slug)

	all := map[string]int{}
	for info, err := range s.AllBackups(t.Context()) {
		require.NoError(t, err)
		all[info.Registry]++
	}
	assert.Equal(t, map[string]int{first.Registry: 2, own.Registry: 1}, all)

	_, err = s.Erase(t.Context(), staging.token(t, "t1"))
	require.NoError(t, err)
	assert.Empty(t, staging.count(t))
	assert.Equal(t, map[string]int{"t1": 2}, production.count(t))
}

func TestADropIsNotSatisfiedByAnotherRegistrysBackup(t *testing.T) {
	t.Parallel()
	production, staging := shared(t)
	backUp(t, production.service(t, backup.Config{}), "t1")
	guarded, err := tenancy.New(staging.owner, tenancy.Config{
		Migrator: staging.runner, Roles: staging.roles,
		Drop: tenancy.DropConfig{
			Enabled: true, Backups: backup.Freshness{Store: staging.dir},
		},
	})
	require.NoError(t, err)
	drop := func() error {
		r, err := guarded.RequestDrop(t.Context(), "t1", "ada")
		require.NoError(t, err)
		_, err = guarded.Drop(t.Context(), tenancy.DropParams{Slug: "t1", Actor: "ada", Token: r.Token})
		return err
	}
	var none *tenancy.BackupError
	require.ErrorAs(t, drop(), &none)
	assert.True(t, none.Last.IsZero())

	copyOf := backUp(t, staging.service(t, backup.Config{}), "t1")
	_, err = staging.tenants.RenewIdentity(t.Context())
	require.NoError(t, err)
	require.ErrorAs(t, drop(), &none, "a backup of the former identity belongs to another registry")
	require.NotEqual(t, copyOf.Registry+"/", staging.own(t))
	backUp(t, staging.service(t, backup.Config{}), "t1")
	require.NoError(t, drop())
}

// In a copy of a database, the runs of the original do not count as done.
func TestAScheduleStartsAnewWithANewIdentity(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	c := f.schedule(t, backup.Config{}, backup.ScheduleConfig{VerifyEvery: ages, Retention: backup.Retention{Last: 1}})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1})) // backup
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1})) // verification
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
	original := state(t, c, tenants[0].ID, backup.RunBackup).Name

	own, err := f.tenants.RenewIdentity(t.Context())
	require.NoError(t, err)
	last, err := c.LastBackups(t.Context())
	require.NoError(t, err)
	assert.Empty(t, last)
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
	for _, kind := range []backup.RunKind{backup.RunBackup, backup.RunVerify} {
		assert.True(t, strings.HasPrefix(state(t, c, tenants[0].ID, kind).Name, own+"/"))
	}
	assert.Contains(t, f.objects(t), original)
}

func TestARegistryWithoutAnIdentityBacksUpNothing(t *testing.T) {
	t.Parallel()
	f, tenants := scheduled(t, 1)
	f.exec(t, "public", "delete from public.registry_identity")
	s := f.service(t, backup.Config{})
	_, err := s.Backup(t.Context(), "t1", backup.BackupOptions{})
	require.ErrorIs(t, err, tenancy.ErrNoIdentity)
	_, err = s.Prune(t.Context(), tenants[0].ID, backup.Retention{Last: 1})
	require.ErrorIs(t, err, tenancy.ErrNoIdentity)
	tenants[0].Registry = ""
	_, err = backup.Freshness{Store: f.dir}.LastBackup(t.Context(), &tenants[0])
	require.ErrorIs(t, err, tenancy.ErrNoIdentity)
	_, err = f.tenants.RenewIdentity(t.Context())
	require.NoError(t, err)
	backUp(t, s, "t1")
}

// A receipt that was copied to the files of another registry is refused.
func TestAReceiptOfAnotherRegistryIsAnError(t *testing.T) {
	t.Parallel()
	production, staging := shared(t)
	info := backUp(t, production.service(t, backup.Config{}), "t1")
	info.Name = staging.own(t) + "1-t1/20260101T000000Z-x.tar"
	text, err := json.Marshal(info)
	require.NoError(t, err)
	staging.put(t, info.Name, "archive")
	staging.put(t, info.Name+".json", string(text))
	for _, err := range staging.service(t, backup.Config{}).Backups(t.Context(), 1) {
		require.ErrorContains(t, err, "it belongs to registry")
	}
}

// unbind renames the files of a registry as earlier releases named them, without a registry.
func (f *fixture) unbind(t testing.TB) {
	t.Helper()
	own := f.own(t)
	for _, name := range f.objects(t) {
		before, is := strings.CutPrefix(name, own)
		if !is {
			continue
		}
		text, err := os.ReadFile(f.path + "/" + name)
		require.NoError(t, err)
		text = []byte(strings.ReplaceAll(strings.ReplaceAll(string(text), own, ""),
			`"registry": "`+strings.TrimSuffix(own, "/")+`",`, ""))
		f.put(t, before, string(text))
		require.NoError(t, f.dir.Delete(context.Background(), name))
	}
	_, err := f.owner.Exec(context.Background(), "update public.backup_runs set name = replace(name, $1, '')", own)
	require.NoError(t, err)
}

func TestBackupsOfEarlierReleasesAreAdopted(t *testing.T) {
	t.Parallel()
	production, staging := shared(t)
	p, s := production.service(t, backup.Config{}), staging.service(t, backup.Config{})
	c := production.schedule(t, backup.Config{}, backup.ScheduleConfig{})
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{Due: 1, Done: 1}))
	production.put(t, production.own(t)+"1-t1/handover.dump", "?")
	production.put(t, production.own(t)+"1-t1/left.tar", "half")
	production.put(t, production.own(t)+"1-t1/making.tar", "half")
	production.unbind(t)
	require.NoError(t, os.Chtimes(production.path+"/1-t1/left.tar", time.Time{}, time.Now().Add(-25*time.Hour)))
	before := production.objects(t)

	// Before they are adopted, the files are not listed and do not count as fresh backups. They are
	// restored only with AnyRegistry, and they block the erasure of their tenant.
	assert.Empty(t, production.count(t))
	t1, err := production.tenants.BySlug(t.Context(), "t1")
	require.NoError(t, err)
	var unadopted *backup.UnadoptedError
	_, err = backup.Freshness{Store: production.dir}.LastBackup(t.Context(), &t1)
	require.ErrorAs(t, err, &unadopted)
	_, err = p.Erase(t.Context(), production.token(t, "t1"))
	require.ErrorAs(t, err, &unadopted)
	archive := strings.TrimSuffix(before[slices.IndexFunc(before,
		func(n string) bool { return strings.HasSuffix(n, ".json") })], ".json")
	_, err = p.Verify(t.Context(), archive, backup.RestoreOptions{})
	require.ErrorIs(t, err, backup.ErrOtherRegistry)
	_, err = p.Verify(t.Context(), archive, backup.RestoreOptions{AnyRegistry: true})
	require.NoError(t, err)
	pruned, err := p.Prune(t.Context(), 1, backup.Retention{Last: 1})
	require.NoError(t, err)
	assert.Empty(t, pruned)

	// The registry that has not made them skips them, because its tenant 1 is another one.
	got, err := s.AdoptBackups(t.Context(), backup.AdoptOptions{})
	require.NoError(t, err)
	assert.Empty(t, got.Adopted)
	assert.Empty(t, got.Removed)
	assert.Len(t, got.Skipped, len(before))
	assert.Equal(t, before, production.objects(t))

	// A wrong clock removes nothing.
	ahead := production.service(t, backup.Config{})
	backup.SetClock(ahead, func() time.Time { return time.Now().Add(48 * time.Hour) })
	wrong, err := ahead.AdoptBackups(t.Context(), backup.AdoptOptions{Plan: true})
	require.NoError(t, err)
	assert.Empty(t, wrong.Removed)

	// The registry that has made them adopts them. With Plan nothing is changed.
	plan, err := p.AdoptBackups(t.Context(), backup.AdoptOptions{Plan: true})
	require.NoError(t, err)
	assert.Equal(t, before, production.objects(t))
	done, err := p.AdoptBackups(t.Context(), backup.AdoptOptions{TenantID: 1})
	require.NoError(t, err)
	assert.Equal(t, plan, done)
	assert.Equal(t, []string{"1-t1/left.tar"}, done.Removed)
	assert.Equal(t, []backup.SkippedFile{{Name: "1-t1/making.tar", Reason: "has no receipt: it may still be written"}},
		done.Skipped)
	own := production.own(t)
	want := []string{"1-t1/making.tar", own + archive, own + archive + ".json", own + "1-t1/handover.dump"}
	assert.ElementsMatch(t, want, production.objects(t))
	assert.Equal(t, own+archive, state(t, c, 1, backup.RunBackup).Name)
	_, err = p.Verify(t.Context(), own+archive, backup.RestoreOptions{})
	require.NoError(t, err)
	at, err := backup.Freshness{Store: production.dir}.LastBackup(t.Context(), &t1)
	require.NoError(t, err)
	assert.False(t, at.IsZero())
	require.NoError(t, expectDone(t, c, backup.ScheduleReport{}))
}

// An altered file is not adopted, and stays. After a killed run the next one continues.
func TestOnlyCompleteBackupsAreAdopted(t *testing.T) {
	t.Parallel()
	f, _ := scheduled(t, 1)
	s := f.service(t, backup.Config{})
	info := backUp(t, s, "t1")
	f.unbind(t)
	name := strings.TrimPrefix(info.Name, f.own(t))
	whole, err := os.ReadFile(f.path + "/" + name)
	require.NoError(t, err)
	altered := slices.Clone(whole)
	altered[len(altered)-1] ^= 1
	require.NoError(t, os.WriteFile(f.path+"/"+name, altered, 0o600))
	got, err := s.AdoptBackups(t.Context(), backup.AdoptOptions{})
	require.NoError(t, err)
	assert.Equal(t, backup.SkippedFile{Name: name, Reason: "it differs from its receipt"}, got.Skipped[0])
	assert.Equal(t, []string{name, name + ".json"}, f.objects(t))

	require.NoError(t, os.WriteFile(f.path+"/"+name, whole, 0o600))
	f.put(t, info.Name, "half a copy")
	got, err = s.AdoptBackups(t.Context(), backup.AdoptOptions{})
	require.NoError(t, err)
	assert.Equal(t, []backup.AdoptedFile{{From: name, To: info.Name}}, got.Adopted)
	assert.Equal(t, []string{info.Name, info.Name + ".json"}, f.objects(t))
}

// A dropped tenant leaves little information: a live tenant of another registry may have the same
// id.
func TestBackupsOfADroppedTenantAreAdoptedByItsRegistry(t *testing.T) {
	t.Parallel()
	production, staging := shared(t)
	backUp(t, production.service(t, backup.Config{}), "t1")
	production.unbind(t)
	production.put(t, "9-x/handover.dump", "?")
	production.put(t, "9-x/left.tar", "half")
	require.NoError(t, os.Chtimes(production.path+"/9-x/left.tar", time.Time{}, time.Now().Add(-25*time.Hour)))
	before := production.objects(t)
	_, err := staging.tenants.Drop(t.Context(), staging.token(t, "t1").DropParams)
	require.NoError(t, err)
	got, err := staging.service(t, backup.Config{}).AdoptBackups(t.Context(), backup.AdoptOptions{})
	require.NoError(t, err)
	assert.Empty(t, got.Adopted)
	assert.Empty(t, got.Removed)
	assert.Len(t, got.Skipped, 4)
	assert.Equal(t, before, production.objects(t))
	plan, err := staging.service(t, backup.Config{}).AdoptBackups(t.Context(),
		backup.AdoptOptions{TenantID: 1, Plan: true})
	require.NoError(t, err)
	assert.Len(t, plan.Adopted, 1)

	_, err = production.tenants.Drop(t.Context(), production.token(t, "t1").DropParams)
	require.NoError(t, err)
	got, err = production.service(t, backup.Config{}).AdoptBackups(t.Context(), backup.AdoptOptions{})
	require.NoError(t, err)
	assert.Len(t, got.Adopted, 1)
	assert.Len(t, got.Skipped, 2)
}

func TestConcurrentAdoptionsLoseNothing(t *testing.T) {
	t.Parallel()
	f, _ := scheduled(t, 1)
	s := f.service(t, backup.Config{})
	info := backUp(t, s, "t1")
	for fired, step := true, 1; fired; step++ { // until there is no such step
		f.unbind(t)
		calls := 0
		meanwhile := func() { // runs a whole adoption before a step of the first one
			if calls++; calls == step {
				_, err := s.AdoptBackups(t.Context(), backup.AdoptOptions{})
				assert.NoError(t, err)
			}
		}
		_, err := f.service(t, backup.Config{Store: &beside{f.dir, meanwhile}}).AdoptBackups(t.Context(),
			backup.AdoptOptions{})
		fired = calls >= step
		t.Logf("step %d of %d: %v", step, calls, err) // it may find that the other adoption was first
		require.Equal(t, []string{info.Name, info.Name + ".json"}, f.objects(t), "step %d", step)
		_, _, err = s.Check(t.Context(), info.Name)
		require.NoError(t, err)
	}
}

// beside is a store that calls a function before a file is read, created or deleted.
type beside struct {
	*backup.Dir
	before func()
}

func (b *beside) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	b.before()
	return b.Dir.Open(ctx, name)
}

func (b *beside) Create(ctx context.Context, name string) (backup.Upload, error) {
	b.before()
	return b.Dir.Create(ctx, name)
}

func (b *beside) Delete(ctx context.Context, name string) error {
	b.before()
	return b.Dir.Delete(ctx, name)
}
