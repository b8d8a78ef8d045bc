package archtest

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tracked returns the content of each file that git tracks, by its name.
func tracked(t *testing.T) map[string][]byte {
	t.Helper()
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
	files := make(map[string][]byte)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // deleted, but not yet committed
		}
		require.NoError(t, err)
		files[name] = content
	}
	require.Contains(t, files, "go.mod")
	return files
}

func TestTrackedFilesAreSmallText(t *testing.T) {
	t.Parallel()
	for name, content := range tracked(t) {
		report(t, checkTracked(name, content))
	}
}

// The files of all modules are checked.
func TestLinesOfCommentAreShort(t *testing.T) {
	t.Parallel()
	for name, content := range tracked(t) {
		if filepath.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			continue
		}
		f, err := parse(name, content)
		require.NoError(t, err)
		report(t, checkCommentLines(f, string(content)))
	}
}

func TestLinksOfPagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	files := tracked(t)
	for name := range files {
		if path.Ext(name) == ".md" {
			report(t, checkLinks(name, files))
		}
	}
}

func TestLinksThatLeadNowhereAreFound(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{
		"a/README.md": []byte("# A `x.Y`\n[b](../b.md) [d](../a) [..](..) [x](y.md) `[c](z.md)` [e](#a-xy) [f](#no)" +
			" [g](../b.md#two-words) [h](../b.md#three)\n```go\nf[int](z)\n```\n[s](https://example.com/a#b) [i](nine)"),
		"b.md": []byte("text\n\n## Two words\n"),
	}
	expect(t, checkLinks("a/README.md", files),
		"a/README.md: the link y.md leads nowhere", "a/README.md: a/README.md has no heading #no",
		"a/README.md: b.md has no heading #three", "a/README.md: the link nine leads nowhere")
}

func TestBinaryAndLargeFilesAreFound(t *testing.T) {
	t.Parallel()
	assert.Empty(t, checkTracked("a.go", []byte("package a // ä\n")))
	assert.Equal(t, []string{"a: is binary; only text files are tracked"}, checkTracked("a", []byte("\x7fELF\x00")))
	assert.Equal(t, []string{"a: is binary; only text files are tracked"}, checkTracked("a", []byte("\xff\xfe")))
	assert.Len(t, checkTracked("a", []byte(strings.Repeat("a", maxTrackedSize+1))), 1)
	assert.Empty(t, checkTracked("a", []byte(strings.Repeat("a", maxTrackedSize))))
}

func TestALongLineOfCommentIsFound(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", maxComment-len("// ")) // as many characters as are allowed, but more bytes
	src := "package a\n\n// " + long + "\n// " + long + "x\n//go:generate " + long + "\n" +
		"var a = 1 // " + long + "\n\nvar s = `\n// " + long + "x`\n\n/*\n" + long + "xxxx\n*/\n\n\t// " + long + "\n"
	f, err := parse("a/a.go", []byte(src))
	require.NoError(t, err)
	expect(t, checkCommentLines(f, src), "a/a.go:4: a line of comment has 101 characters",
		"a/a.go:12: a line of comment has 101 characters", "a/a.go:15: a line of comment has 101 characters")
}
