package archive_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// TestAnArchiveIsReadWithTarAndZstd runs the commands that FORMAT.md recommends.
func TestAnArchiveIsReadWithTarAndZstd(t *testing.T) {
	t.Parallel()
	tarTool, err := exec.LookPath("tar")
	if err != nil {
		t.Skip("no tar on this machine")
	}
	dir := t.TempDir()
	text := rows(30_000)
	packed := pack(t, students(), map[string]string{"students": text, "Odd / name": "x\n"},
		archive.WriterOptions{PartSize: 64 << 10})
	cmd := exec.Command(tarTool, "-xf", "-")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(packed)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "tar: %v: %s", err, out)
	require.Empty(t, out, "tar: %v", err)
	parts, err := filepath.Glob(filepath.Join(dir, "tables", "students", "*.csv.zst"))
	require.NoError(t, err)
	want := (len(text) + 64<<10 - 1) / (64 << 10)
	require.Len(t, parts, want)
	require.GreaterOrEqual(t, want, 2)
	info, err := os.Stat(parts[0])
	require.NoError(t, err)
	assert.Zero(t, info.Mode().Perm()&0o077, "other users can read %v", info.Mode())
	zstdTool, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("no zstd on this machine")
	}
	cmd = exec.Command("sh", "-c", "cat tables/students/*.zst | "+zstdTool+" -d")
	cmd.Dir = dir
	got, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, text, string(got), "zstd made %d bytes, want %d", len(got), len(text))
	records, err := csv.NewReader(strings.NewReader(string(got))).ReadAll()
	require.NoError(t, err)
	assert.Len(t, records, 30_001)
}
