package backup_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// openDir opens a directory of the test's own.
func openDir(t *testing.T) (*backup.Dir, string) {
	t.Helper()
	path := t.TempDir()
	d, err := backup.OpenDir(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d, path
}

func put(ctx context.Context, s backup.Store, name, content string) error {
	u, err := s.Create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(u, content); err != nil {
		return err
	}
	return u.Commit()
}

func names(t *testing.T, s backup.Store, prefix string) []string {
	t.Helper()
	list := []string{}
	for o, err := range s.List(t.Context(), prefix) {
		require.NoError(t, err)
		list = append(list, o.Name)
	}
	return list
}

func TestADirectoryContainsOnlyCompleteFiles(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	u, err := d.Create(t.Context(), "1-a/x.tar")
	require.NoError(t, err)
	_, err = io.WriteString(u, "half")
	require.NoError(t, err)
	_, err = d.Open(t.Context(), "1-a/x.tar")
	assert.ErrorIs(t, err, backup.ErrNotFound)
	assert.Empty(t, names(t, d, ""), "listed")
	require.NoError(t, u.Abort())
	require.NoError(t, u.Abort())
	assert.Error(t, u.Commit(), "committed after an abort")

	for _, name := range []string{"1-a/y.tar", "1-a/x.tar", "11-b/x.tar", "x"} {
		require.NoError(t, put(t.Context(), d, name, "content of "+name))
	}
	assert.Equal(t, []string{"1-a/x.tar", "1-a/y.tar"}, names(t, d, "1-"), "listed")
	assert.Equal(t, []string{"1-a/y.tar"}, names(t, d, "1-a/y"), "listed")
	require.NoError(t, filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		info, infoErr := entry.Info()
		require.NoError(t, infoErr)
		if name != path {
			assert.Zero(t, info.Mode().Perm()&0o077, "other users can access %s: %v", name, info.Mode())
		}
		return err
	}))
	require.NoError(t, d.Delete(t.Context(), "1-a/x.tar"))
	assert.ErrorIs(t, d.Delete(t.Context(), "1-a/x.tar"), backup.ErrNotFound)
}

func TestADirectoryReplacesNoFile(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	require.NoError(t, put(t.Context(), d, "a/x", "first"))
	assert.Error(t, put(t.Context(), d, "a/x", "second"), "an existing file was replaced")
	content, err := os.ReadFile(filepath.Join(path, "a", "x"))
	require.NoError(t, err)
	assert.Equal(t, "first", string(content), "content")
}

func TestANameCannotLeaveTheDirectory(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	outside := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(path, "link")))
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600))
	for _, name := range []string{
		"", ".", "..", "../x", "/x", "a/../../x", "a//x", "a/", ".hidden", "a/.x", "a\\b", "a b", "ä", "a\x00",
		"link/secret", "link/new",
	} {
		assert.Error(t, put(t.Context(), d, name, "x"), "%q was written", name)
		_, err := d.Open(t.Context(), name)
		assert.Error(t, err, "%q was opened", name)
		assert.Error(t, d.Delete(t.Context(), name), "%q was deleted", name)
	}
	assert.Empty(t, names(t, d, ""), "listed")
	entries, err := os.ReadDir(outside)
	assert.NoError(t, err, "outside are %v", entries)
	assert.Len(t, entries, 1, "outside are %v", entries)
}

func TestAnUploadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	u, err := d.Create(ctx, "a/x")
	require.NoError(t, err)
	cancel()
	_, err = u.Write([]byte("x"))
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, u.Commit(), context.Canceled)
	assert.Empty(t, names(t, d, ""), "listed")
}

func TestSweepDeletesUncommittedFiles(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := backup.OpenDir(path)
	require.NoError(t, err)
	defer dir.Close()
	create := func(name string) backup.Upload {
		u, err := dir.Create(t.Context(), name)
		require.NoError(t, err)
		_, err = u.Write([]byte("half"))
		require.NoError(t, err)
		return u
	}
	for _, name := range []string{"1-a/x.tar", "1-b/x.tar.age", "12-a/x.tar"} {
		create(name)
	}
	whole := create("1-a/whole.tar")
	require.NoError(t, whole.Commit())
	for _, foreign := range []string{
		"1-a/.keep", "1-a/.notes.tar.UPPERCAS", "1-a/.x.tar.short", ".abcdefgh",
		"1-a/..abcdefgh",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(path, foreign), nil, 0o600))
	}
	removed, err := dir.Sweep(t.Context(), "1-", time.Now().Add(-time.Minute))
	assert.NoError(t, err, "removed %q, which is being written", removed)
	assert.Empty(t, removed, "removed %q, which is being written", removed)
	old := time.Now().Add(-2 * time.Minute)
	require.NoError(t,
		filepath.WalkDir(path, func(name string, _ fs.DirEntry, _ error) error { return os.Chtimes(name, old, old) }))
	late := create("1-a/late.tar")
	removed, err = dir.Sweep(t.Context(), "1-", time.Now().Add(-time.Minute))
	require.NoError(t, err)
	if assert.Len(t, removed, 2) && assert.True(t, strings.HasPrefix(removed[0], "1-a/.x.tar."), "removed %q", removed) {
		assert.True(t, strings.HasPrefix(removed[1], "1-b/.x.tar.age."), "removed %q", removed)
	}
	require.NoError(t, late.Commit())
	stopped := create("1-a/stopped.tar")
	removed, err = dir.Sweep(t.Context(), "", time.Now().Add(time.Hour))
	// the unfinished files of 12-a and of this upload
	assert.NoError(t, err, "removed %q", removed)
	assert.Len(t, removed, 2)
	assert.Error(t, stopped.Commit(), "a swept file was committed")
	var left []string
	for o, err := range dir.List(t.Context(), "") {
		require.NoError(t, err)
		left = append(left, o.Name)
	}
	want := []string{"1-a/late.tar", "1-a/whole.tar"}
	assert.Equal(t, want, left)
	for _, foreign := range []string{
		"1-a/.keep", "1-a/.notes.tar.UPPERCAS", "1-a/.x.tar.short", ".abcdefgh",
		"1-a/..abcdefgh",
	} {
		_, err := os.Stat(filepath.Join(path, foreign))
		require.NoError(t, err)
	}
}
