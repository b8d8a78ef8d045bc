package moduletest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each module of go.work, which ./... of the root leaves out, has one package that runs its tests.
func TestTheModulesOfGoWorkAreRun(t *testing.T) {
	t.Parallel()
	work, err := os.ReadFile(filepath.Join(rootDir, "go.work"))
	require.NoError(t, err)
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^\t\./(.+)$`).FindAllSubmatch(work, -1) {
		listed = append(listed, string(m[1]))
	}
	require.NotEmpty(t, listed)
	tests, err := filepath.Glob("*/*_test.go")
	require.NoError(t, err)
	var run []string
	for _, file := range tests {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`moduletest\.Run\(t, "(.+)"\)`).FindAllSubmatch(content, -1) {
			run = append(run, string(m[1]))
		}
	}
	assert.ElementsMatch(t, listed, run, "the modules of go.work, and those that packages beside this test run")
}
