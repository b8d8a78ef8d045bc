package moduletest_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/moduletest"
)

const (
	treeModule = "github.com/oryne/pgtenant"
	rootDir    = "../.."
	version    = "v0.1.0" // that the modules require of each other: the next release
)

// module is a module of the tree: its directory, and its files relative to that directory.
type module struct {
	path, dir string
	files     []string
}

// modules returns the modules of the tree by their import path. Those that are private to the tree
// are among them.
func modules(t *testing.T) map[string]*module {
	t.Helper()
	moduletest.ReadInputs() // git reads them as well
	git := exec.Command("git", "-C", rootDir, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	out, err := git.Output()
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("the files of the tree are not known: git ls-files: %v", err)
	}
	require.NoError(t, err)
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	found := make(map[string]*module) // by directory
	for _, f := range files {
		if path.Base(f) == "go.mod" {
			dir := path.Dir(f)
			found[dir] = &module{path: path.Join(treeModule, dir), dir: dir}
		}
	}
	byPath := make(map[string]*module)
	for _, m := range found {
		if !strings.Contains(m.dir, "/testdata") { // a module of test data is not released
			byPath[m.path] = m
		}
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(rootDir, f)); err != nil {
			continue // it was deleted, which git does not know yet
		}
		dir := path.Dir(f)
		for found[dir] == nil {
			dir = path.Dir(dir)
		}
		m := found[dir]
		m.files = append(m.files, strings.TrimPrefix(f, dir+"/"))
	}
	return byPath
}

// makeProxy returns a directory that serves the modules of the tree as GOPROXY, in one version.
func makeProxy(t *testing.T, modules map[string]*module) string {
	t.Helper()
	dir := t.TempDir()
	for _, m := range modules {
		v := filepath.Join(dir, filepath.FromSlash(m.path), "@v")
		require.NoError(t, os.MkdirAll(v, 0o755))
		mod, err := os.ReadFile(filepath.Join(rootDir, m.dir, "go.mod"))
		require.NoError(t, err)
		info, err := json.Marshal(map[string]string{"Version": version})
		require.NoError(t, err)
		for name, content := range map[string][]byte{
			"list": []byte(version + "\n"), version + ".mod": mod, version + ".info": info, version + ".zip": zipModule(t, m),
		} {
			require.NoError(t, os.WriteFile(filepath.Join(v, name), content, 0o600))
		}
	}
	return dir
}

// zipModule returns the archive of a module as a proxy serves it.
func zipModule(t *testing.T, m *module) []byte {
	t.Helper()
	var archive bytes.Buffer
	zw := zip.NewWriter(&archive)
	for _, f := range m.files {
		content, err := os.Open(filepath.Join(rootDir, m.dir, filepath.FromSlash(f)))
		require.NoError(t, err)
		w, err := zw.Create(m.path + "@" + version + "/" + f)
		require.NoError(t, err)
		_, err = io.Copy(w, content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
	}
	require.NoError(t, zw.Close())
	return archive.Bytes()
}

// consumer is a module that imports packages of the tree from a proxy, as a user's program does.
type consumer struct {
	dir string
	env []string
}

// newConsumer creates a consumer that requires modules of the tree. Other modules come from the
// module cache of this machine, or from its proxy. Their checksums are those of the tree.
func newConsumer(t *testing.T, proxy string, all map[string]*module, required []string, imports ...string) consumer {
	t.Helper()
	goEnv, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	require.NoError(t, err)
	cache, upstream, _ := strings.Cut(strings.TrimSpace(string(goEnv)), "\n")
	c := consumer{dir: t.TempDir(), env: append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -modcacherw -buildvcs=false",
		"GOMODCACHE="+filepath.Join(proxy, "cache"), "GONOSUMDB="+treeModule+","+treeModule+"/*",
		"GOSUMDB=off", "GOPRIVATE=", "GONOPROXY=none",
		"GOTOOLCHAIN=local", "GOPROXY=file://"+filepath.ToSlash(proxy)+
			",file://"+filepath.ToSlash(filepath.Join(cache, "cache", "download"))+","+upstream)}
	mod, source, sums := "module example.com/consumer\n\ngo 1.26.0\n", "package consumer\n", make(map[string]bool)
	for _, m := range required {
		mod += "\nrequire " + m + " " + version + "\n"
	}
	for _, i := range imports {
		source += "\nimport _ \"" + i + "\"\n"
	}
	for _, m := range all {
		sum, err := os.ReadFile(filepath.Join(rootDir, m.dir, "go.sum"))
		require.NoError(t, err)
		for line := range strings.Lines(string(sum)) {
			sums[line] = true
		}
	}
	for name, content := range map[string]string{
		"go.mod": mod, "consumer.go": source, "go.sum": strings.Join(slices.Sorted(maps.Keys(sums)), ""),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600))
	}
	return c
}

// unreachable is what the go command says if a module is in no cache and there is no network.
var unreachable = regexp.MustCompile(`dial tcp|no such host|i/o timeout|connection refused|module lookup disabled`)

// run runs the go command. Where modules cannot be downloaded the test is skipped, or fails if CI
// is set.
func (c consumer) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && os.Getenv("CI") == "" && unreachable.Match(stderr.Bytes()) {
		t.Skipf("a module is not in the module cache, and there is no network: %s", stderr.String())
	}
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), stderr.String())
	return string(out)
}
