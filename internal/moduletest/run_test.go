package moduletest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/moduletest"
)

// TestOfPackages is what the other tests run in a process of its own, to see its result.
func TestOfPackages(t *testing.T) {
	pattern := os.Getenv("MODULETEST_PACKAGES")
	if pattern == "" {
		t.Skip("only run by other tests")
	}
	moduletest.RunPackages(t, "testdata", pattern)
}

// runPackages runs the tests of packages below testdata by TestOfPackages.
func runPackages(t *testing.T, pattern string, flags ...string) (output string, passed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append(flags, "-test.run=^TestOfPackages$")...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "MODULETEST_PACKAGES="+pattern)
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return string(out), err == nil
}

func TestEachTestIsASubtest(t *testing.T) {
	t.Parallel()
	output, passed := runPackages(t, "./pass", "-test.v", "-test.short")
	require.True(t, passed, output)
	for _, want := range []string{
		"--- PASS: TestOfPackages/example.com/tests/pass/TestPass/of_two_words (",
		"--- PASS: TestOfPackages/example.com/tests/pass/TestPass/of_two_words#01 (",
		"--- SKIP: TestOfPackages/example.com/tests/pass/TestPass/skipped (",
		"--- PASS: TestOfPackages/example.com/tests/pass/TestArguments (",
		"--- PASS: TestOfPackages/example.com/tests/pass/Example (",
		"a message", "a reason", "-test.short=true",
	} {
		assert.Contains(t, output, want)
	}
	assert.NotContains(t, output, "FAIL")
}

func TestAPassIsQuiet(t *testing.T) {
	t.Parallel()
	output, passed := runPackages(t, "./pass")
	assert.True(t, passed, output)
	assert.NotContains(t, output, "a message")
	assert.NotContains(t, output, "TestPass")
}

func TestAFailureIsShown(t *testing.T) {
	t.Parallel()
	output, passed := runPackages(t, "./fail")
	assert.False(t, passed)
	for _, want := range []string{
		"--- FAIL: TestOfPackages/example.com/tests/fail/TestFail/bad (", "fail_test.go:7: shown",
		"--- FAIL: TestOfPackages/example.com/tests/fail/TestPanic (", "panic: a panic",
	} {
		assert.Contains(t, output, want)
	}
	assert.NotContains(t, output, "not shown")
	assert.NotContains(t, output, "/good")
}

func TestOtherFailuresAreShown(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"./broken":  "undefined: undefined",
		"./missing": "missing: directory not found",
		".":         "no Go files",
		"./...":     "--- FAIL: TestOfPackages/example.com/tests/fail/TestFail/bad (",
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			output, passed := runPackages(t, pattern, "-test.timeout=35s")
			assert.False(t, passed)
			assert.Contains(t, output, want)
		})
	}
}

func TestADeadlineEndsTheTests(t *testing.T) {
	t.Parallel()
	started := time.Now()
	output, passed := runPackages(t, "./hang", "-test.timeout=25s")
	assert.False(t, passed)
	assert.True(t, strings.Contains(output, "before the deadline") || strings.Contains(output, "test timed out"), output)
	assert.NotContains(t, output, "panic: test timed out after 25s", "the outer test was ended instead")
	assert.Less(t, time.Since(started), 25*time.Second)
}
