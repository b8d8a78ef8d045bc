package backup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A full disk is a small file system in memory. A process with a mount table of its own mounts it:
// this binary, run again for one test. It disappears when the process ends.

// diskEnv is the environment variable with the order for such a process.
const diskEnv = "PGTENANT_TEST_DISK"

type diskOrder struct {
	URL, Prefix string // of the fixture's database
	Size        int64  // size of an archive of the tenant "north"
}

// runOnSmallDisk runs the test again in a process that may mount.
func runOnSmallDisk(t *testing.T, order diskOrder) {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(order)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), diskEnv+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 { // without root, mounting needs a user namespace
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || strings.Contains(string(out), noMount) {
		t.Skipf("no file system can be mounted: %v %s", err, out)
	}
	require.NoError(t, err, string(out))
	t.Logf("%s", out)
}

const noMount = "MOUNT REFUSED"

// mountDisk mounts a file system of the given size.
func mountDisk(t *testing.T, dir string, bytes int64) {
	t.Helper()
	require.NoError(t, syscall.Mount("disk", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)), noMount)
}

// On a disk of any size, either the whole backup with its receipt is there, or nothing of it.
func TestABackupOnAFullDiskIsCompleteOrAbsent(t *testing.T) {
	t.Parallel()
	if text := os.Getenv(diskEnv); text != "" {
		var order diskOrder
		require.NoError(t, json.Unmarshal([]byte(text), &order))
		backUpOnSmallDisks(t, order)
		return
	}
	f := setup(t, notes)
	f.createLarge(t, "north")
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	runOnSmallDisk(t, diskOrder{URL: f.pg.URLAs(f.roles.Owner(), "o"), Prefix: f.pg.RolePrefix, Size: info.Size})
}

func backUpOnSmallDisks(t *testing.T, order diskOrder) {
	pool, err := pgxpool.New(t.Context(), order.URL)
	require.NoError(t, err)
	defer pool.Close()
	f := &fixture{pg: &pgtest.DB{Pool: pool}, owner: pool}
	f.roles, err = schemactx.NewRoleNames(order.Prefix)
	require.NoError(t, err)
	f.connect(t, notes)
	const page = 4096
	sizes := []int64{page, 16 * page, order.Size / 2 / page * page}
	for n := int64(-4); n <= 6; n++ { // up to the size that just fits archive and receipt
		sizes = append(sizes, (order.Size/page+n)*page)
	}
	full, whole := 0, 0
	for _, size := range sizes {
		f.path = t.TempDir()
		mountDisk(t, f.path, size)
		f.dir, err = backup.OpenDir(f.path)
		require.NoError(t, err)
		_, err = f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
		if err == nil {
			whole++
			f.expectOneBackup(t)
		} else {
			full++
			assert.ErrorIs(t, err, syscall.ENOSPC)
			names := f.files(t)
			assert.Empty(t, names, "%d bytes: the disk has %q", size, names)
			require.NoError(t, syscall.Mount("disk", f.path, "tmpfs", syscall.MS_REMOUNT, "size=64m")) // makes room
			_, err = f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
			require.NoError(t, err)
			f.expectOneBackup(t)
		}
		require.NoError(t, f.dir.Close())
		require.NoError(t, syscall.Unmount(f.path, 0))
	}
	t.Logf("%d disks were too small, %d were not", full, whole)
	assert.GreaterOrEqual(t, full, 5, "the sizes are no test")
	assert.NotZero(t, whole, "the sizes are no test")
}

// expectOneBackup expects one readable archive with its receipt.
func (f *fixture) expectOneBackup(t *testing.T) {
	t.Helper()
	s := f.service(t, backup.Config{})
	tenant, err := f.tenants.BySlug(t.Context(), "north")
	require.NoError(t, err)
	n := 0
	for info, err := range s.Backups(t.Context(), tenant.ID) {
		require.NoError(t, err)
		_, _, err = s.Check(t.Context(), info.Name)
		require.NoError(t, err)
		n++
	}
	names := f.files(t)
	if assert.Equal(t, 1, n, "%d backups, files %q", n, names) && assert.Len(t, names, 2, "%d backups, files", n) {
		assert.Equal(t, filepath.Dir(names[1]), filepath.Dir(names[0]), "%d backups, files", n)
	}
}
