package readmetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var program = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")

// The program is built as its reader would build it, in a module of its own.
func TestProgramOfTheReadmeCompiles(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	check(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	check(t, err)
	source := program.FindSubmatch(readme)
	if source == nil {
		t.Fatal("the README has no program")
	}
	dir := t.TempDir()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	check(t, err)
	mod = bytes.Replace(mod, []byte("module github.com/oryne/pgtenant"), []byte("module readme"), 1)
	mod = append(mod, "\nrequire github.com/oryne/pgtenant v0.0.0\nreplace github.com/oryne/pgtenant => "+root+"\n"...)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	check(t, err)
	for file, content := range map[string][]byte{
		"go.mod": mod, "go.sum": sum, "main.go": source[1],
		"migrations/00001_notes.sql": []byte("-- +goose Up\ncreate table notes (body text);\n"),
	} {
		path := filepath.Join(dir, file)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, content, 0o644))
	}
	vet := exec.Command("go", "vet", "-mod=mod", ".")
	vet.Dir = dir
	vet.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// It is the one of examples/minimal, which its test runs.
func TestProgramOfTheReadmeIsTheMinimalExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	check(t, err)
	minimal, err := os.ReadFile("../../examples/minimal/main.go")
	check(t, err)
	if source := program.FindSubmatch(readme); source == nil || !bytes.Equal(source[1], minimal) {
		t.Error("the program of the README is not that of examples/minimal/main.go: copy one over the other")
	}
	if lines := bytes.Count(minimal, []byte("\n")); lines >= 60 {
		t.Errorf("the smallest program has %d lines, and is to have fewer than 60", lines)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheReadmeIsNoManual(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	check(t, err)
	if lines := bytes.Count(readme, []byte("\n")); lines > 200 {
		t.Errorf("the README has %d lines, and is to have 200 at most: guides have the rest", lines)
	}
}
