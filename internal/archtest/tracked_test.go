package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTrackedFilesAreSmallText(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skipf("the tree is not a git checkout: %v", err)
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skipf("there is no git: %v", err)
	}
	// The checkout may belong to another user than the one that runs the test.
	dir, err := filepath.Abs(root)
	require.NoError(t, err)
	list := exec.Command("git", "-c", "safe.directory="+dir, "ls-files", "-z")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err)
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	require.Contains(t, names, "go.mod")
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // deleted, but not yet committed
		}
		require.NoError(t, err)
		report(t, checkTracked(name, content))
	}
}

func TestBinaryAndLargeFilesAreFound(t *testing.T) {
	t.Parallel()
	assert.Empty(t, checkTracked("a.go", []byte("package a // ä\n")))
	assert.Equal(t, []string{"a: is binary; only text files are tracked"}, checkTracked("a", []byte("\x7fELF\x00")))
	assert.Equal(t, []string{"a: is binary; only text files are tracked"}, checkTracked("a", []byte("\xff\xfe")))
	assert.Len(t, checkTracked("a", []byte(strings.Repeat("a", maxTrackedSize+1))), 1)
	assert.Empty(t, checkTracked("a", []byte(strings.Repeat("a", maxTrackedSize))))
}
