package tenantvet_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// In the code of tenancy/EXISTING.md there is one finding, the one that the guide shows.
func TestTheFindingOfTheGuideToExistingPrograms(t *testing.T) {
	t.Parallel()
	guide := readFile(t, "../EXISTING.md")
	finding := regexp.MustCompile("(?s)```text\n(.*?)\n```").FindSubmatch(guide)
	if finding == nil {
		t.Fatal("the guide shows no finding")
	}
	code := readFile(t, "../../internal/guidetest/existing_program_test.go") // has the code of the guide
	dir, err := os.MkdirTemp(testdata, "existing")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	code = bytes.Replace(code, []byte("package guidetest"), []byte("package existing"), 1)
	if err := os.WriteFile(filepath.Join(dir, "existing.go"), code, 0o600); err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(t.TempDir(), "tenantvet")
	if out, err := exec.Command("go", "build", "-o", tool, "./cmd/tenantvet").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(tool, "./"+filepath.Base(dir))
	cmd.Dir = testdata
	out, err := cmd.CombinedOutput()
	if err == nil || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), string(finding[1])) {
		t.Errorf("%v: got %s, want %s", err, out, finding[1])
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
