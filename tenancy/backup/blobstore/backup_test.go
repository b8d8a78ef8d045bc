package blobstore_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// serviceOn returns a service with a tenant "north" of 80,000 rows, whose archive has several
// parts.
func serviceOn(t *testing.T, store backup.Store) (*backup.Service, tenancy.Tenant) {
	t.Helper()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	owner, err := pgxpool.New(context.Background(), pg.URLAs(roles.Owner(), "o"))
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "notes", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (id uuid, body text);\n")},
		}}},
	})
	require.NoError(t, err)
	tenants, err := tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: roles})
	require.NoError(t, err)
	require.NoError(t, tenants.Init(t.Context()))
	tenant, err := tenants.Create(t.Context(), tenancy.CreateParams{Slug: "north", Domain: "north.example.com"})
	require.NoError(t, err)
	_, err = owner.Exec(t.Context(), "insert into "+tenant.Schema+`.notes
		select gen_random_uuid(), gen_random_uuid() || '' || gen_random_uuid()
		|| gen_random_uuid() || gen_random_uuid() || gen_random_uuid() || gen_random_uuid() from generate_series(1, 80000)`)
	require.NoError(t, err)
	s, err := backup.New(backup.Config{Pool: owner, Tenants: tenants, Migrations: runner, Store: store})
	require.NoError(t, err)
	return s, tenant
}

func TestBackupAndRestoreOnS3(t *testing.T) {
	t.Parallel()
	store := open(t, s3Bucket(t))
	s, tenant := serviceOn(t, store)
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, info.Size, int64(6<<20), "one part is no test: %+v", info)
	assert.Equal(t, int64(80_000), info.Rows, "one part is no test: %+v", info)
	assert.Equal(t, backup.VerifiedContent, info.Verified, "one part is no test: %+v", info)
	verification, err := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	assert.Equal(t, info.Rows, verification.Rows, "%d rows came back, of %d", verification.Rows, info.Rows)
	last, err := backup.Freshness{Store: store}.LastBackup(t.Context(), &tenant)
	require.NoError(t, err)
	assert.WithinDuration(t, info.TakenAt, last, 0, "last backup at %v", last)
	pruned, err := s.Prune(t.Context(), tenant.ID, backup.Retention{Last: 1})
	require.NoError(t, err)
	assert.Empty(t, pruned, "the only backup was removed")
}

func TestAnUnreachableStoreKeepsNoBackup(t *testing.T) {
	t.Parallel()
	store := open(t, s3Bucket(t))
	s, tenant := serviceOn(t, &away{Store: store})
	_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	assert.ErrorIs(t, err, errAway)
	for o, err := range store.List(t.Context(), "") {
		assert.Fail(t, "a file is left", "%+v, %v", o, err)
	}
	last, err := (backup.Freshness{Store: store}).LastBackup(t.Context(), &tenant)
	if assert.NoError(t, err, "last backup at %v", last) {
		assert.True(t, last.IsZero(), "last backup at %v, %v", last, err)
	}
}

var errAway = errors.New("storage is away")

// away is a store that becomes unavailable in the middle of an upload.
type away struct{ backup.Store }

func (a *away) Create(ctx context.Context, name string) (backup.Upload, error) {
	u, err := a.Store.Create(ctx, name)
	return &awayUpload{Upload: u}, err
}

type awayUpload struct {
	backup.Upload
	n int
}

func (u *awayUpload) Write(p []byte) (int, error) {
	if u.n += len(p); u.n > 6<<20 {
		return 0, errAway
	}
	return u.Upload.Write(p)
}
