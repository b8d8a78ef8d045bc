package localpg_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
)

// The full disk is a small file system in memory. Its mount namespace ends with the process.
func TestADiskThatIsFullIsNamed(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	dir, err := os.MkdirTemp("", "pgtenant-full-*") // not t.TempDir, which the server's user cannot enter
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	cmd := exec.CommandContext(
		t.Context(),
		"sh",
		"-c",
		`mount --make-rprivate / && mount -t tmpfs -o size=20m,mode=755 none "$DIR" || { echo no mount; exit 1; }
		exec "$PROGRAM"`,
	)
	cmd.Env = append(os.Environ(), "DIR="+dir, "PROGRAM="+os.Args[0], "LOCALPG_TEST_PARENT="+filepath.Join(dir, "data"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || strings.Contains(string(out), "no mount") {
		t.Skipf("no file system can be mounted: %v %s", err, out)
	}
	assert.Error(t, err)
	assert.Contains(t, string(out), localpg.ErrDiskFull.Error()+": "+filepath.Join(dir, "data"))
}
