package manage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// expectCode runs a program that must exit with a code: code 2 school tenant show.
func expectCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code NUMBER PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// condition reports whether a PostgreSQL program is installed ([tool:psql]), and whether pg_dump
// supports the server's version ([dump]). Where CI is set, a missing program is an error.
func condition(cond string) (bool, error) {
	if cond == "dump" {
		return dumps()
	}
	name, ok := strings.CutPrefix(cond, "tool:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	_, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "" {
		return false, err
	}
	return err == nil, nil
}

var dumpVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// serverVersion is the version of the server. It is a variable because a condition gets no test.
var serverVersion int

func dumps() (bool, error) {
	out, err := exec.Command("pg_dump", "--version").Output()
	if err != nil {
		return false, err
	}
	found := dumpVersion.FindSubmatch(out)
	if found == nil {
		return false, fmt.Errorf("pg_dump says %q", out)
	}
	version, err := strconv.Atoi(string(found[1]))
	return version >= serverVersion, err
}

func scriptContext(*testscript.TestScript) context.Context { return context.Background() }

// needPsql skips a test if psql is not installed. Where CI is set, the test fails instead.
func needPsql(t *testing.T) {
	t.Helper()
	there, err := condition("tool:psql")
	require.NoError(t, err)
	if !there {
		t.Skip("there is no psql")
	}
}
