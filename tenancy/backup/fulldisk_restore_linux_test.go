package backup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// If PostgreSQL's disk is full during a restore, the restore fails and changes nothing else. With
// more space it succeeds.
func TestARestoreOnAFullDiskChangesNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv(diskEnv) == "" {
		if os.Getuid() != 0 {
			t.Skip("PostgreSQL does not run as root, and only root can mount a disk for it")
		}
		pgtest.Version(t) // skips or fails the test without a server
		runOnSmallDisk(t, diskOrder{})
		return
	}
	disk := filepath.Join(serverDir(t), "disk")
	require.NoError(t, os.Mkdir(disk, 0o700))
	mountDisk(t, disk, 64<<10) // before the server starts, which sees only the mounts of that time
	f := setupServer(t)
	tenant := f.createLarge(t, "north")
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	f.exec(t, tenant.Schema, "delete from tags; update notes set body = 'live' where id < 100")

	f.giveTo(t, disk)
	_, err = f.pg.Pool.Exec(t.Context(), "create tablespace small location '"+disk+"'")
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), "grant create on tablespace small to public; alter role "+f.roles.Owner()+
		" set default_tablespace = small")
	require.NoError(t, err)
	f.owner.Reset() // existing sessions keep the old setting
	want, before := f.content(t, "north"), f.everything(t)
	for _, kilobytes := range []int{64, 200, 512, 1024, 2048, 3072} {
		require.NoError(t, syscall.Mount("disk", disk, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dk", kilobytes)))
		for _, opts := range []backup.RestoreOptions{{Replace: "north"}, {Slug: "south", Domain: "south.example.com"}} {
			_, err = f.service(t, backup.Config{}).Restore(t.Context(), info.Name, opts)
			var full *pgconn.PgError
			if assert.ErrorAs(t, err, &full, "%d kB, %+v: got %v, want SQLSTATE 53100", kilobytes, opts, err) {
				assert.Equal(t, "53100", full.Code, "%d kB, %+v: got %v, want SQLSTATE 53100", kilobytes, opts, err)
			}
		}
		f.expectContent(t, "north", want)
		after := f.everything(t)
		assert.Equal(t, before, after, "%d kB: changed:\n%s\nbefore", kilobytes, after)
	}
	require.NoError(t, syscall.Mount("disk", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	_, err = f.service(t, backup.Config{}).Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	got := f.content(t, "north")
	assert.NotEqual(t, want["tags"], got["tags"], "the content differs from the backup")
}

// serverDir returns a directory that the server's account can enter.
func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "backup-disk-*")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		_ = syscall.Unmount(filepath.Join(dir, "disk"), syscall.MNT_DETACH) // if it is mounted
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

// setupServer is setup on a server of the test's own, which sees the mounts of the process.
func setupServer(t *testing.T) *fixture {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Config{DataDir: filepath.Join(serverDir(t), "pg")})
	if none := (*localpg.NoBinariesError)(nil); errors.As(err, &none) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	url := server.TCPURL("postgres")
	superuser, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(superuser.Close)
	f := &fixture{pg: &pgtest.DB{URL: url, Name: "postgres", Pool: superuser, RolePrefix: "disk"}, path: t.TempDir()}
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), superuser, admin.SetupConfig{
		Roles: f.roles, OwnerPassword: "o",
		RuntimePassword: "r",
	})
	require.NoError(t, err)
	f.owner, err = pgxpool.New(t.Context(), f.pg.URLAs(f.roles.Owner(), "o"))
	require.NoError(t, err)
	t.Cleanup(f.owner.Close)
	f.connect(t, notes)
	require.NoError(t, f.tenants.Init(t.Context()))
	f.dir, err = backup.OpenDir(f.path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.dir.Close()) })
	return f
}

// giveTo gives a directory to the server's account, which owns its data directory.
func (f *fixture) giveTo(t *testing.T, dir string) {
	t.Helper()
	var data string
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "show data_directory").Scan(&data))
	info, err := os.Stat(data)
	require.NoError(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	require.NoError(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
}
