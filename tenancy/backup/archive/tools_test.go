package archive_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// TestAnArchiveIsReadWithTarAndZstd does what FORMAT.md tells people to do.
func TestAnArchiveIsReadWithTarAndZstd(t *testing.T) {
	t.Parallel()
	tarTool, err := exec.LookPath("tar")
	if err != nil {
		t.Skip("no tar on this machine")
	}
	dir := t.TempDir()
	text := rows(30_000)
	packed := pack(t, students(), map[string]string{"students": text, "Odd / name": "x\n"}, archive.WriterOptions{PartSize: 64 << 10})
	cmd := exec.Command(tarTool, "-xf", "-")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(packed)
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Fatalf("tar: %v: %s", err, out)
	}
	parts, err := filepath.Glob(filepath.Join(dir, "tables", "students", "*.csv.zst"))
	check(t, err)
	if want := (len(text) + 64<<10 - 1) / (64 << 10); len(parts) != want || want < 2 {
		t.Fatalf("%d parts, want %d", len(parts), want)
	}
	info, err := os.Stat(parts[0])
	check(t, err)
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read %v", info.Mode())
	}
	zstdTool, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("no zstd on this machine")
	}
	cmd = exec.Command("sh", "-c", "cat tables/students/*.zst | "+zstdTool+" -d")
	cmd.Dir = dir
	got, err := cmd.Output()
	check(t, err)
	if string(got) != text {
		t.Errorf("zstd made %d bytes, want %d", len(got), len(text))
	}
	records, err := csv.NewReader(strings.NewReader(string(got))).ReadAll()
	check(t, err)
	if len(records) != 30_001 {
		t.Errorf("%d records", len(records))
	}
}
