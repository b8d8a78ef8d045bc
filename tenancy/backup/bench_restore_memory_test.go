package backup_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// restoreNameEnv is the environment variable that names the archive which the process of
// BenchmarkRestoreMemory restores.
const restoreNameEnv = "PGTENANT_TEST_RESTORE_NAME"

// BenchmarkRestoreMemory restores a large tenant in a process of its own. It reports the peak of
// the process's resident memory above the value before the restore.
//
//	go test -run '^$' -bench RestoreMemory -benchtime 1x -timeout 30m \
//	  ./tenancy/backup -backup-mb 1024
func BenchmarkRestoreMemory(b *testing.B) {
	if os.Getenv(restoreNameEnv) != "" {
		restoreAndMeasure(b)
		return
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("memory is read from /proc")
	}
	f := setup(b, large)
	tenant := f.create(b, "north")
	const rowSize = 130
	f.exec(b, tenant.Schema, fmt.Sprintf(largeSQL, *benchMegabytes<<20/rowSize))
	info, err := f.service(b, backup.Config{}).Backup(b.Context(), "north", backup.BackupOptions{})
	require.NoError(b, err)
	for b.Loop() {
		binary, err := os.Executable()
		require.NoError(b, err)
		cmd := exec.CommandContext(b.Context(), binary, "-test.run=^$", "-test.bench=^BenchmarkRestoreMemory$",
			"-test.benchtime=1x")
		cmd.Env = append(os.Environ(), killURL+"="+f.pg.URLAs(f.roles.Owner(), "o"), killPrefix+"="+f.pg.RolePrefix,
			killDir+"="+f.path,
			restoreNameEnv+"="+info.Name)
		out, err := cmd.CombinedOutput()
		found := regexp.MustCompile(`idle=(\d+) peak=(\d+) bytes=(\d+)`).FindSubmatch(out)
		require.NoError(b, err, "%s", out)
		require.NotNil(b, found, "%s", out)
		var n [3]float64
		for i := range n {
			n[i], err = strconv.ParseFloat(string(found[i+1]), 64)
			require.NoError(b, err)
		}
		b.ReportMetric(n[0]/(1<<10), "idle-MB")
		b.ReportMetric((n[1]-n[0])/(1<<10), "above-MB")
		b.ReportMetric(n[2]/(1<<20), "CSV-MB")
		f.drop(b, "copy")
	}
}

// restoreAndMeasure is the code of that process.
func restoreAndMeasure(b *testing.B) {
	pool, err := pgxpool.New(b.Context(), os.Getenv(killURL))
	require.NoError(b, err)
	defer pool.Close()
	roles, err := schemactx.NewRoleNames(os.Getenv(killPrefix))
	require.NoError(b, err)
	f := &fixture{pg: &pgtest.DB{Pool: pool}, roles: roles, owner: pool}
	f.connect(b, large)
	f.dir, err = backup.OpenDir(os.Getenv(killDir))
	require.NoError(b, err)
	require.NoError(b, pool.Ping(b.Context()))
	idle := residentKB(b, "VmRSS")
	restored, err := f.service(b, backup.Config{}).Restore(b.Context(), os.Getenv(restoreNameEnv),
		backup.RestoreOptions{Slug: "copy", Domain: "copy.example.com"})
	require.NoError(b, err)
	fmt.Printf("idle=%d peak=%d bytes=%d\n", idle, residentKB(b, "VmHWM"), restored.Bytes)
}
