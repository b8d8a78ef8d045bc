package readmetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var program = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")

// The test builds the program as a reader would, in a module of its own.
func TestProgramOfTheReadmeCompiles(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	source := program.FindSubmatch(readme)
	require.NotNil(t, source, "the README has no program")
	dir := t.TempDir()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	mod = bytes.Replace(mod, []byte("module github.com/oryne/pgtenant"), []byte("module readme"), 1)
	mod = append(mod, "\nrequire github.com/oryne/pgtenant v0.0.0\nreplace github.com/oryne/pgtenant => "+root+"\n"...)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for file, content := range map[string][]byte{
		"go.mod": mod, "go.sum": sum, "main.go": source[1],
		"migrations/00001_notes.sql": []byte("-- +goose Up\ncreate table notes (body text);\n"),
	} {
		path := filepath.Join(dir, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	vet := exec.Command("go", "vet", "-mod=mod", ".")
	vet.Dir = dir
	vet.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	out, err := vet.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// The test of examples/minimal runs the program.
func TestProgramOfTheReadmeIsTheMinimalExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	minimal, err := os.ReadFile("../../examples/minimal/main.go")
	require.NoError(t, err)
	source := program.FindSubmatch(readme)
	require.NotNil(t, source)
	assert.Equal(t, string(minimal), string(source[1]), "README.md must have the program of examples/minimal/main.go")
	lines := bytes.Count(minimal, []byte("\n"))
	assert.Less(t, lines, 75, "lines of the smallest program, which also sets up its database")
}

func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	assert.Less(t, bytes.Count(readme, []byte("\n")), 150, "lines of the README; guides have the rest")
}
