package tenantvet_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In the code of tenancy/EXISTING.md there is one finding, the one that the guide shows.
func TestTheFindingOfTheGuideToExistingPrograms(t *testing.T) {
	t.Parallel()
	guide := readFile(t, "../EXISTING.md")
	finding := regexp.MustCompile("(?s)```text\n(.*?)\n```").FindSubmatch(guide)
	require.NotNil(t, finding, "the guide shows no finding")
	code := readFile(t, "../../internal/guidetest/existing_program_test.go") // has the code of the guide
	dir, err := os.MkdirTemp(testdata, "existing")
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, os.RemoveAll(dir))
	})
	code = bytes.Replace(code, []byte("package guidetest"), []byte("package existing"), 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "existing.go"), code, 0o600))
	tool := filepath.Join(t.TempDir(), "tenantvet")
	out, err := exec.Command("go", "build", "-o", tool, "./cmd/tenantvet").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.Command(tool, "./"+filepath.Base(dir))
	cmd.Dir = testdata
	out, err = cmd.CombinedOutput()
	assert.Error(t, err, "%s", out)
	assert.Equal(t, 1, strings.Count(string(out), "\n"), "lines of %s", out)
	assert.Contains(t, string(out), string(finding[1]))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}
