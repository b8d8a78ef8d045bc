package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// away makes the database refuse entries until the returned function is called.
func (f *fixture) away(t testing.TB) (back func()) {
	t.Helper()
	f.exec(t, "alter table public.audit_log rename to audit_log_away")
	return func() {
		t.Helper()
		f.exec(t, "alter table public.audit_log_away rename to audit_log")
	}
}

// spilled returns a directory with the spill of a closed log, in batches of one entry each.
func (f *fixture) spilled(t testing.TB, entries int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spill")
	defer f.away(t)()
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}, BatchSize: 1})
	require.NoError(t, err)
	f.fill(t, l, entries, 1)
	closeLog(t, l)
	return dir
}

// replay opens a log on the directory and waits until the spill is empty.
func (f *fixture) replay(t testing.TB, dir string) {
	t.Helper()
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	require.NoError(t, err)
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	closeLog(t, l)
}

func segments(t testing.TB, dir, suffix string) (names []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	require.NoError(t, err)
	return names
}

func TestASpillIsReadableByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.spilled(t, 3)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.EqualValues(t, 0o700, info.Mode().Perm(), "the directory has mode %v", info.Mode())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		assert.EqualValues(t, 0o600, info.Mode().Perm(), "mode of %s", file.Name())
	}
	open := filepath.Join(t.TempDir(), "open")
	require.NoError(t, os.Mkdir(open, 0o700))
	require.NoError(t, os.Chmod(open, 0o777))
	_, err = audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: open}})
	expectField(t, err, "spill.dir")
	_, err = audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: filepath.Join(dir, "lock")}})
	assert.Error(t, err, "a file was accepted as the directory")
}

// Links in the directory do not lead outside of it.
func TestASpillStaysInItsDirectory(t *testing.T) {
	t.Parallel()
	f := setup(t)
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o600))
	dir := f.spilled(t, 1)
	require.NoError(t, os.Remove(filepath.Join(dir, "head")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "head")))
	_, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	assert.Error(t, err, "a link out of the directory was followed")
	require.NoError(t, os.Remove(filepath.Join(dir, "head")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "999999999999.spill")))
	f.replay(t, dir)
	content, err := os.ReadFile(outside)
	assert.NoError(t, err, "outside is %q", content)
	assert.Equal(t, "precious", string(content), "outside is %q", content)
	f.verify(t)
}

func TestADirectoryIsForOneProcess(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := filepath.Join(t.TempDir(), "spill")
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	require.NoError(t, err)
	_, err = audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	assert.ErrorIs(t, err, audit.ErrSpillInUse)
	closeLog(t, l)
	f.replay(t, dir)
}

// A process that is killed while it writes leaves an incomplete last frame.
func TestATornFrameIsSkipped(t *testing.T) {
	t.Parallel()
	for _, cut := range []int64{1, 7, 8, 9, 50} {
		f := setup(t)
		dir := f.spilled(t, 10)
		names := segments(t, dir, ".spill")
		last := names[len(names)-1]
		info, err := os.Stat(last)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(last, info.Size()-cut)) // into the entry that closes the chain
		f.replay(t, dir)
		n := f.count(t, "tenant_id = 1")
		assert.Equal(t, 10, n, "%d bytes cut: %d rows", cut, n)
		assert.Len(t, segments(t, dir, ".damaged"), 1, "%d bytes cut", cut)
		assert.Empty(t, segments(t, dir, ".spill"), "%d bytes cut", cut)
		f.verify(t)
	}
}

// A batch that the disk has damaged is not written, is reported as missing, and its file is kept.
// The batches after it are written.
func TestADamagedBatchIsSkippedAndReported(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.spilled(t, 10)
	name := segments(t, dir, ".spill")[0]
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	at := strings.Index(string(content), `{"n":5}`)
	content[at+5] = '6'
	require.NoError(t, os.WriteFile(name, content, 0o600))
	f.replay(t, dir)
	assert.Equal(t, 9, f.count(t, "tenant_id = 1"), "rows")
	assert.Len(t, segments(t, dir, ".damaged"), 1, "the damaged file was removed")
	f.verify(t, audit.Missing)
}

func TestForeignFilesInTheDirectoryAreIgnored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.spilled(t, 3)
	for name, content := range map[string]string{
		"000000000000.spill.bak": "x", "zzz.spill": "x", "000000000900.spill": "",
		"000000000901.spill": "\xff\xff\xff\x7fxxxxxxxxxxxxxxxxxxxxx",
		"000000000902.spill": "\x00\x00\x00\x00\x00\x00\x00\x00", "000000000903.spill": strings.Repeat("\x00", 1000),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "000000000904.spill"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "head"), []byte("nonsense"), 0o600))
	f.replay(t, dir)
	assert.Equal(t, 3, f.count(t, "tenant_id = 1"), "rows")
	f.verify(t)
}

func TestASpillIsBounded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	dir := filepath.Join(t.TempDir(), "spill")
	l, err := audit.Open(t.Context(), f.db, audit.Config{
		Spill: audit.SpillConfig{
			Dir:      dir,
			MaxBytes: 2000,
		},
		BatchSize: 1,
		QueueSize: 5,
		Overflow:  audit.Drop,
		Linger:    time.Millisecond,
	})
	require.NoError(t, err)
	recorded := 0
	eventually(t, "the log to be full", func() bool {
		err := l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login})
		if err == nil {
			recorded++
		}
		return errors.Is(err, audit.ErrFull) && errors.Is(l.Status().Err, audit.ErrSpillFull)
	})
	s := l.Status()
	assert.LessOrEqual(t, s.SpillBytes, int64(2000), "status %+v", s)
	assert.Equal(t, 5, s.Queued, "status %+v", s)
	assert.NotZero(t, s.Spilled, "status %+v", s)
	assert.NotZero(t, s.Dropped, "status %+v", s)
	total := int64(0)
	for _, name := range segments(t, dir, ".spill") {
		info, err := os.Stat(name)
		require.NoError(t, err)
		total += info.Size()
	}
	assert.LessOrEqual(t, total, int64(2000), "%d bytes are spilled", total)
	back()
	require.NoError(t, l.Flush(t.Context()))
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	n := f.count(t, "tenant_id = 1")
	assert.Equal(t, recorded, n, "%d rows of %d", n, recorded)
	closeLog(t, l)
	f.verify(t)
}

// The first row of a process's chain has the end of the previous process's chain. So the removal of
// a whole chain is found.
func TestAChainNamesThePreviousChain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := filepath.Join(t.TempDir(), "spill")
	for range 3 {
		l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
		require.NoError(t, err)
		f.fill(t, l, 3, 1)
		closeLog(t, l)
	}
	report := f.verify(t)
	assert.Equal(t, 3, report.Chains, "%d chains", report.Chains)
	f.exec(
		t,
		"delete from public.audit_heads where received = (select min(received) from public.audit_heads where position = 5)",
	)
	f.exec(
		t,
		`delete from public.audit_heads where chain in (select chain from public.audit_log order by received limit 1)`,
	)
	f.exec(t, `delete from public.audit_log where chain in (select chain from public.audit_log order by received limit 1)`)
	f.verify(t, audit.Unlinked)
}
