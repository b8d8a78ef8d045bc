package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// away makes the database refuse entries until it is called again.
func (f *fixture) away(t testing.TB) (back func()) {
	t.Helper()
	f.exec(t, "alter table public.audit_log rename to audit_log_away")
	return func() {
		t.Helper()
		f.exec(t, "alter table public.audit_log_away rename to audit_log")
	}
}

// spilled returns a directory with the spill of a process that is gone: batches of one entry each.
func (f *fixture) spilled(t testing.TB, entries int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spill")
	defer f.away(t)()
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}, BatchSize: 1})
	check(t, err)
	f.fill(t, l, entries, 1)
	closeLog(t, l)
	return dir
}

// replay opens a log on the directory until there is nothing left.
func (f *fixture) replay(t testing.TB, dir string) {
	t.Helper()
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	check(t, err)
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	closeLog(t, l)
}

func segments(t testing.TB, dir, suffix string) (names []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	check(t, err)
	return names
}

func TestASpillIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.spilled(t, 3)
	info, err := os.Stat(dir)
	check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
	files, err := os.ReadDir(dir)
	check(t, err)
	for _, file := range files {
		info, err := file.Info()
		check(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file.Name(), info.Mode())
		}
	}
	open := filepath.Join(t.TempDir(), "open")
	check(t, os.Mkdir(open, 0o700))
	check(t, os.Chmod(open, 0o777))
	_, err = audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: open}})
	expectField(t, err, "spill directory")
	_, err = audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: filepath.Join(dir, "lock")}})
	if err == nil {
		t.Error("a file was taken for a directory")
	}
}

// Files that somebody has put there as links lead nowhere outside of the directory.
func TestASpillStaysInItsDirectory(t *testing.T) {
	t.Parallel()
	f := setup(t)
	outside := filepath.Join(t.TempDir(), "outside")
	check(t, os.WriteFile(outside, []byte("precious"), 0o600))
	dir := f.spilled(t, 1)
	check(t, os.Remove(filepath.Join(dir, "head")))
	check(t, os.Symlink(outside, filepath.Join(dir, "head")))
	_, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	if err == nil {
		t.Error("a link out of the directory was followed")
	}
	check(t, os.Remove(filepath.Join(dir, "head")))
	check(t, os.Symlink(outside, filepath.Join(dir, "999999999999.spill")))
	f.replay(t, dir)
	if content, err := os.ReadFile(outside); err != nil || string(content) != "precious" {
		t.Errorf("outside is %q, %v", content, err)
	}
	f.verify(t)
}

func TestADirectoryIsOneProcesss(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := filepath.Join(t.TempDir(), "spill")
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	check(t, err)
	_, err = audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	expectIs(t, err, audit.ErrSpillInUse)
	closeLog(t, l)
	f.replay(t, dir)
}

// A process that is killed as it writes leaves a torn end.
func TestATornEndIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, cut := range []int64{1, 7, 8, 9, 50} {
		f := setup(t)
		dir := f.spilled(t, 10)
		names := segments(t, dir, ".spill")
		last := names[len(names)-1]
		info, err := os.Stat(last)
		check(t, err)
		check(t, os.Truncate(last, info.Size()-cut)) // into the entry that closes the chain
		f.replay(t, dir)
		if n := f.count(t, "tenant_id = 1"); n != 10 {
			t.Errorf("%d bytes cut: %d rows", cut, n)
		}
		if len(segments(t, dir, ".damaged")) != 1 || len(segments(t, dir, ".spill")) != 0 {
			t.Errorf("%d bytes cut: the directory has %v", cut, segments(t, dir, ""))
		}
		f.verify(t)
	}
}

// What a disk has damaged is missing, found, and kept to be looked at; what comes behind it is written.
func TestADamagedBatchIsLeftOutAndMissed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.spilled(t, 10)
	name := segments(t, dir, ".spill")[0]
	content, err := os.ReadFile(name)
	check(t, err)
	at := strings.Index(string(content), `{"n":5}`)
	content[at+5] = '6'
	check(t, os.WriteFile(name, content, 0o600))
	f.replay(t, dir)
	if n := f.count(t, "tenant_id = 1"); n != 9 {
		t.Errorf("%d rows", n)
	}
	if len(segments(t, dir, ".damaged")) != 1 {
		t.Error("the damaged file is gone")
	}
	f.verify(t, audit.Missing)
}

func TestNonsenseInTheDirectoryDoesNoHarm(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.spilled(t, 3)
	for name, content := range map[string]string{
		"000000000000.spill.bak": "x", "zzz.spill": "x", "000000000900.spill": "", "000000000901.spill": "\xff\xff\xff\x7fxxxxxxxxxxxxxxxxxxxxx",
		"000000000902.spill": "\x00\x00\x00\x00\x00\x00\x00\x00", "000000000903.spill": strings.Repeat("\x00", 1000),
	} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	check(t, os.Mkdir(filepath.Join(dir, "000000000904.spill"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "head"), []byte("nonsense"), 0o600))
	f.replay(t, dir)
	if n := f.count(t, "tenant_id = 1"); n != 3 {
		t.Errorf("%d rows", n)
	}
	f.verify(t)
}

func TestASpillIsBounded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	dir := filepath.Join(t.TempDir(), "spill")
	l, err := audit.Open(t.Context(), f.db, audit.Config{
		Spill: audit.SpillConfig{Dir: dir, MaxBytes: 2000}, BatchSize: 1, QueueSize: 5, Overflow: audit.Drop, Linger: time.Millisecond,
	})
	check(t, err)
	recorded := 0
	eventually(t, "the log to be full", func() bool {
		err := l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Login})
		if err == nil {
			recorded++
		}
		return errors.Is(err, audit.ErrFull) && errors.Is(l.Status().Err, audit.ErrSpillFull)
	})
	s := l.Status()
	if s.SpillBytes > 2000 || s.Queued != 5 || s.Spilled == 0 || s.Dropped == 0 {
		t.Errorf("status %+v", s)
	}
	total := int64(0)
	for _, name := range segments(t, dir, ".spill") {
		info, err := os.Stat(name)
		check(t, err)
		total += info.Size()
	}
	if total > 2000 {
		t.Errorf("%d bytes are spilled", total)
	}
	back()
	check(t, l.Flush(t.Context()))
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	if n := f.count(t, "tenant_id = 1"); n != recorded {
		t.Errorf("%d rows of %d", n, recorded)
	}
	closeLog(t, l)
	f.verify(t)
}

// The first row of a process's chain says where that of the process before it ended: if all of that one goes, it is missed.
func TestAChainNamesTheOneBeforeIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := filepath.Join(t.TempDir(), "spill")
	for range 3 {
		l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
		check(t, err)
		f.fill(t, l, 3, 1)
		closeLog(t, l)
	}
	if report := f.verify(t); report.Chains != 3 {
		t.Errorf("%d chains", report.Chains)
	}
	f.exec(t, "delete from public.audit_heads where received = (select min(received) from public.audit_heads where position = 5)")
	f.exec(t, `delete from public.audit_heads where chain in (select chain from public.audit_log order by received limit 1)`)
	f.exec(t, `delete from public.audit_log where chain in (select chain from public.audit_log order by received limit 1)`)
	f.verify(t, audit.Unlinked)
}
