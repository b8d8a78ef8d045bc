package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/internal/hint"
)

// A hint is typed as the program was started, whatever the directory and the flags of "go run".
func TestHintsAreTypedAsTheProgramWasStarted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the command line of another process")
	}
	binary := filepath.Join(t.TempDir(), "the school")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, program := range [][]string{{"go", "run", "-buildvcs=false", "."}, {binary}} {
		cmd := exec.CommandContext(t.Context(), program[0], append(program[1:], "tenant", "show")...)
		out, err := cmd.CombinedOutput()
		if want := "see '" + hint.Command(program...) + " tenant show --help'"; err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v, and not %s: %s", err, want, out)
		}
	}
}
