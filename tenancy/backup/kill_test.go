package backup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// These environment variables configure a process that backs up a tenant and kills itself: this
// binary, run again for one test.
const (
	killURL    = "PGTENANT_TEST_BACKUP_URL"
	killPrefix = "PGTENANT_TEST_BACKUP_PREFIX"
	killDir    = "PGTENANT_TEST_BACKUP_DIR"
	// an event, "commit", "receipt", "receipt written", or a number of bytes; a number kills at
	// "commit" at the latest
	killWhen = "PGTENANT_TEST_BACKUP_WHEN"
)

// die kills the process with a signal that cannot be handled.
func die(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Kill())
	select {}
}

// backUpAndDie is the code of that process.
func backUpAndDie(t *testing.T) {
	when := os.Getenv(killWhen)
	bytes, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		bytes = -1
	}
	pool, err := pgxpool.New(t.Context(), os.Getenv(killURL))
	require.NoError(t, err)
	roles, err := schemactx.NewRoleNames(os.Getenv(killPrefix))
	require.NoError(t, err)
	f := &fixture{pg: &pgtest.DB{Pool: pool}, roles: roles, owner: pool}
	f.connect(t, notes)
	f.dir, err = backup.OpenDir(os.Getenv(killDir))
	require.NoError(t, err)
	store := &faulty{
		Store: f.dir,
		write: func(n int64) error {
			if bytes >= 0 && n >= bytes {
				die(t)
			}
			return nil
		},
		commit: func(name string) error {
			// A number of bytes can lie after the start of the last write: archives of the same rows differ
			// in size, and an archive is written in pieces.
			before := when == "commit" || bytes >= 0
			if before && !isReceipt(name) || when == "receipt written" && isReceipt(name) {
				die(t)
			}
			return nil
		},
		create: func(name string) error {
			if when == "receipt" && isReceipt(name) {
				die(t)
			}
			return nil
		},
	}
	s := f.service(t, backup.Config{Store: store, Progress: func(_ context.Context, e backup.Event) {
		if string(e.Kind) == when {
			die(t)
		}
	}})
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.Fail(t, "the process was not killed", "%v", err)
}

// runToDeath runs the test in a process of its own, which must be killed.
func (f *fixture) runToDeath(t *testing.T, when string) {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), killURL+"="+f.pg.URLAs(f.roles.Owner(), "o"), killPrefix+"="+f.pg.RolePrefix,
		killDir+"="+f.path,
		killWhen+"="+when)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s: %v\n%s", when, err, out)
	require.False(t, exit.Exited(), "%s: %v\n%s", when, err, out)
}

func TestAKilledBackupLeavesNoBackup(t *testing.T) {
	t.Parallel()
	if os.Getenv(killURL) != "" {
		backUpAndDie(t)
	}
	f := setup(t, notes)
	tenant := f.createLarge(t, "north")
	s := f.service(t, backup.Config{})
	good, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	points := []string{"started", "table", "commit", "written", "receipt", "receipt written", "0"}
	for range 6 {
		points = append(points, fmt.Sprint(rand.Int64N(good.Size)))
	}
	points = append(points, fmt.Sprint(good.Size)) // after the last write
	verified := []string{good.Name}
	for _, when := range points {
		f.runToDeath(t, when)
		f.expectVerified(t, tenant, when, verified)
		for _, name := range f.objects(t) { // a leftover archive is complete, but is no backup
			if strings.HasSuffix(name, ".tar") {
				_, _, err := s.Check(t.Context(), name)
				require.NoError(t, err)
			}
		}
		next, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
		require.NoError(t, err)
		verified = append(verified, next.Name)
		f.expectVerified(t, tenant, "after "+when, verified)
	}
}

// expectVerified expects that these are the backups of a tenant, and that they can be read.
func (f *fixture) expectVerified(t *testing.T, tenant tenancy.Tenant, when string, want []string) {
	t.Helper()
	s := f.service(t, backup.Config{})
	names := make(map[string]bool)
	for info, err := range s.Backups(t.Context(), tenant.ID) {
		require.NoError(t, err)
		names[info.Name] = true
		_, m, err := s.Check(t.Context(), info.Name)
		require.NoError(t, err)
		assert.Equal(t, info.Rows, m.Rows(), "%s: %d rows, %d in the receipt", when, m.Rows(), info.Rows)
	}
	for _, name := range want {
		assert.True(t, names[name], "%s: %s is lost", when, name)
	}
	assert.Len(t, names, len(want), "%s: backups %v, want %q", when, names, want)
}
