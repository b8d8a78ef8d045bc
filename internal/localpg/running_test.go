package localpg_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
)

// pidFile creates a kept directory with the postmaster.pid of a process.
func pidFile(t *testing.T, pid int, port, status string) string {
	t.Helper()
	dir := tempDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	content := fmt.Sprintf("%d\n%s/data\n1764000000\n%s\n%s/run\n127.0.0.1\n1 2\n%-8s\n", pid, dir, port, dir, status)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "postmaster.pid"), []byte(content), 0o600))
	return dir
}

func TestFindWantsAServerThatIsAliveAndReady(t *testing.T) {
	t.Parallel()
	dir := pidFile(t, os.Getpid(), "5432", "ready")
	running, err := localpg.Find(dir)
	require.NoError(t, err)
	assert.Equal(t, "postgres://u@/d?host="+dir+"/run&port=5432", running.URL("u", "d"))

	ended := exec.Command(os.Args[0], "-test.run=^$")
	require.NoError(t, ended.Run())
	for name, dir := range map[string]string{
		"the server was killed": pidFile(t, ended.Process.Pid, "5432", "ready"),
		"the server starts":     pidFile(t, os.Getpid(), "5432", "starting"),
		"there is no server":    tempDir(t),
	} {
		_, err := localpg.Find(dir)
		assert.ErrorIs(t, err, localpg.ErrNotRunning, name)
	}
}

// A directory in place of the file gives an error for root, too, whom permissions do not stop.
func TestFindSaysWhyItCannotRead(t *testing.T) {
	t.Parallel()
	unreadable := tempDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(unreadable, "data", "postmaster.pid"), 0o700))
	for name, dir := range map[string]string{
		"unreadable": unreadable,
		"malformed":  pidFile(t, os.Getpid(), "port", "ready"),
	} {
		_, err := localpg.Find(dir)
		assert.ErrorContains(t, err, "postmaster.pid", name)
		assert.NotErrorIs(t, err, localpg.ErrNotRunning, name)
	}
}

// The race detector finds an access without a lock.
func TestKeepAndStopAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, localpg.Config{})
	t.Cleanup(func() { os.RemoveAll(s.Dir()) })
	var all sync.WaitGroup
	all.Go(func() { assert.NoError(t, s.Stop(t.Context())) })
	kept := make([]error, 2)
	for i := range kept {
		all.Go(func() { _, kept[i] = s.Keep() })
	}
	all.Wait()
	for _, err := range kept {
		if err == nil {
			assert.DirExists(t, s.Dir())
			return
		}
		assert.ErrorIs(t, err, os.ErrNotExist, "only the removal of the directory stops Keep")
	}
	assert.NoDirExists(t, s.Dir())
}
