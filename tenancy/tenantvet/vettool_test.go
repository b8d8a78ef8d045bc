package tenantvet_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The command works as a vet tool of the go command, with flags, and by itself.
func TestCommand(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "tenantvet")
	if out, err := exec.Command("go", "build", "-o", tool, "./cmd/tenantvet").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir = testdata
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	const finding = "schemactx.WithSchema selects a schema by name"
	for _, args := range [][]string{{"go", "vet", "-vettool=" + tool, "./allowed"}, {tool, "./allowed"}} {
		if out, err := run(
			args[0],
			args[1:]...); err == nil || !strings.Contains(out, "allowed.go:12") ||
			!strings.Contains(out, finding) {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
	const allow = "-tenantswitch.allow=example.com/app/allowed"
	for _, args := range [][]string{{"go", "vet", "-vettool=" + tool, allow, "./allowed"}, {tool, allow, "./allowed"}} {
		if out, err := run(args[0], args[1:]...); err != nil {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
}
