package tenantvet_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The command works as a vet tool of the go command, with flags, and by itself.
func TestCommand(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "tenantvet")
	out, err := exec.Command("go", "build", "-o", tool, "./cmd/tenantvet").CombinedOutput()
	require.NoError(t, err, "%s", out)
	run := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir = testdata
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	const finding = "schemactx.WithSchema selects a schema by name"
	for _, args := range [][]string{{"go", "vet", "-vettool=" + tool, "./allowed"}, {tool, "./allowed"}} {
		out, err := run(args[0], args[1:]...)
		assert.Error(t, err, args)
		assert.Contains(t, out, "allowed.go:12", args)
		assert.Contains(t, out, finding, args)
	}
	const allow = "-tenantswitch.allow=example.com/app/allowed"
	for _, args := range [][]string{{"go", "vet", "-vettool=" + tool, allow, "./allowed"}, {tool, allow, "./allowed"}} {
		out, err := run(args[0], args[1:]...)
		assert.NoError(t, err, "%s: %s", args, out)
	}
}
