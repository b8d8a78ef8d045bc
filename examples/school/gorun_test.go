package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/hint"
)

// Hints use the command that started the program, with any directory and flags of "go run".
func TestHintsRepeatHowTheProgramWasStarted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the command line of another process")
	}
	binary := filepath.Join(t.TempDir(), "the school")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, out)
	for _, program := range [][]string{{"go", "run", "-buildvcs=false", "."}, {binary}} {
		cmd := exec.CommandContext(t.Context(), program[0], append(program[1:], "tenant", "show")...)
		out, err := cmd.CombinedOutput()
		want := "see '" + hint.Command(program...) + " tenant show --help'"
		assert.Error(t, err, "%v, and not %s: %s", err, want, out)
		assert.Contains(t, string(out), want, err)
	}
}
