package moduletest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// root is the directory of the tree.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

const (
	// reserve is the time before the deadline at which the tests of a module are ended, so that what
	// they printed can be reported.
	reserve = 15 * time.Second

	// waitDelay is how long the go command may take to end after it was interrupted.
	waitDelay = 5 * time.Second
)

// Run runs the tests of the module in directory, a path with slashes below the root of the tree. It
// fails t if the tests cannot be built, and if there are none.
func Run(t *testing.T, directory string) {
	t.Helper()
	readInputs()
	run(t, filepath.Join(root(), filepath.FromSlash(directory)), "./...")
}

// environment lists the environment variables that decide how the tests run.
var environment = []string{
	"CI", "TEST_DATABASE_URL", "TEST_PG", "TEST_PG_BIN", "TEST_PG_IMAGE", "TEST_PG_KEEP", "DOCKER_HOST",
	"PATH", "TMPDIR", "GOWORK", "GOFLAGS",
}

// readInputs reads the directories of the tree and the environment, so that the go command counts
// them as inputs of this test. It reuses the result of a test whose inputs are unchanged, and it
// sees only what the test's own process reads, not what the inner go test reads.
func readInputs() {
	for _, name := range environment {
		_ = os.Getenv(name)
	}
	_ = filepath.WalkDir(root(), func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir // another test may have removed the directory
		}
		return nil
	})
}

// run runs the tests of packages in dir. It reports the tests of each package as soon as the
// package has ended.
func run(t *testing.T, dir string, packages ...string) {
	t.Helper()
	ctx, args := context.Background(), flags()
	if deadline, ok := t.Deadline(); ok {
		end := deadline.Add(-reserve)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end)
		defer cancel()
		args = append(args, "-timeout="+time.Until(end).Round(time.Second).String())
	}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Dir, cmd.WaitDelay = dir, waitDelay
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tests, unread := reportEvents(t, stdout)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		t.Errorf("the tests of %s did not end before the deadline", dir)
	case err != nil && !t.Failed():
		t.Errorf("%s in %s: %v", strings.Join(cmd.Args, " "), dir, err)
	case tests == 0 && !t.Failed():
		t.Errorf("%s in %s: no test ran", strings.Join(cmd.Args, " "), dir)
	}
	if t.Failed() {
		t.Logf("%s%s", unread, stderr.String())
	}
}

// flags returns the arguments of the go command that follow from the flags of this test.
func flags() []string {
	args := []string{"test", "-json", "-count=1", "-p=1"} // -p=1: the outer go test runs packages in parallel already
	if race {
		args = append(args, "-race")
	}
	if testing.Short() {
		args = append(args, "-short")
	}
	return args
}

// reportEvents reports each package as a subtest of t. It returns the number of tests, and the
// output that belongs to no package.
func reportEvents(t *testing.T, stdout io.Reader) (tests int, other string) {
	t.Helper()
	packages := make(map[string]*result)
	builds := &result{}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil:
			builds.output.Write(line) // output of the go command itself
		case e.Package == "":
			builds.output.WriteString(e.Output) // build-output
		default:
			tests += packageEvent(t, packages, e)
		}
		if err != nil {
			break
		}
	}
	for _, p := range packages { // those that were running when the go command ended
		tests += p.count()
		t.Run(p.name, p.report)
	}
	return tests, builds.output.String()
}

// packageEvent adds an event to its package. If it is the last one, it reports the package and
// returns the number of its tests.
func packageEvent(t *testing.T, packages map[string]*result, e event) (tests int) {
	t.Helper()
	p := packages[e.Package]
	if p == nil {
		p = &result{name: strings.TrimPrefix(e.Package, modulePrefix)}
		packages[e.Package] = p
	}
	p.add(e)
	if e.Test != "" || p.action == "" {
		return 0
	}
	delete(packages, e.Package)
	if p.action == "skip" && len(p.tests) == 0 {
		return 0 // no test files
	}
	t.Run(p.name, p.report)
	return p.count()
}

// modulePrefix begins the import path of each package of the tree.
const modulePrefix = "github.com/oryne/pgtenant/"
