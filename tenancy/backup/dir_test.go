package backup_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// openDir opens a directory of the test's own.
func openDir(t *testing.T) (*backup.Dir, string) {
	t.Helper()
	path := t.TempDir()
	d, err := backup.OpenDir(path)
	check(t, err)
	t.Cleanup(func() { check(t, d.Close()) })
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
		check(t, err)
		list = append(list, o.Name)
	}
	return list
}

func TestADirectoryHasWholeFilesOnly(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	u, err := d.Create(t.Context(), "1-a/x.tar")
	check(t, err)
	_, err = io.WriteString(u, "half")
	check(t, err)
	_, err = d.Open(t.Context(), "1-a/x.tar")
	expectIs(t, err, backup.ErrNotFound)
	if list := names(t, d, ""); len(list) != 0 {
		t.Errorf("listed %q", list)
	}
	check(t, u.Abort())
	check(t, u.Abort())
	if err := u.Commit(); err == nil {
		t.Error("committed after an abort")
	}

	for _, name := range []string{"1-a/y.tar", "1-a/x.tar", "11-b/x.tar", "x"} {
		check(t, put(t.Context(), d, name, "content of "+name))
	}
	if list := names(t, d, "1-"); !slices.Equal(list, []string{"1-a/x.tar", "1-a/y.tar"}) {
		t.Errorf("listed %q", list)
	}
	if list := names(t, d, "1-a/y"); !slices.Equal(list, []string{"1-a/y.tar"}) {
		t.Errorf("listed %q", list)
	}
	check(t, filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		info, infoErr := entry.Info()
		check(t, infoErr)
		if name != path && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may use %s: %v", name, info.Mode())
		}
		return err
	}))
	check(t, d.Delete(t.Context(), "1-a/x.tar"))
	expectIs(t, d.Delete(t.Context(), "1-a/x.tar"), backup.ErrNotFound)
}

func TestADirectoryReplacesNoFile(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	check(t, put(t.Context(), d, "a/x", "first"))
	if err := put(t.Context(), d, "a/x", "second"); err == nil {
		t.Error("it was replaced")
	}
	content, err := os.ReadFile(filepath.Join(path, "a", "x"))
	check(t, err)
	if string(content) != "first" {
		t.Errorf("content %q", content)
	}
}

func TestADirectoryIsNotLeft(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	outside := t.TempDir()
	check(t, os.Symlink(outside, filepath.Join(path, "link")))
	check(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600))
	for _, name := range []string{
		"", ".", "..", "../x", "/x", "a/../../x", "a//x", "a/", ".hidden", "a/.x", "a\\b", "a b", "ä", "a\x00", "link/secret", "link/new",
	} {
		if err := put(t.Context(), d, name, "x"); err == nil {
			t.Errorf("%q was written", name)
		}
		if _, err := d.Open(t.Context(), name); err == nil {
			t.Errorf("%q was opened", name)
		}
		if err := d.Delete(t.Context(), name); err == nil {
			t.Errorf("%q was deleted", name)
		}
	}
	if list := names(t, d, ""); len(list) != 0 {
		t.Errorf("listed %q", list)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside are %v, %v", entries, err)
	}
}

func TestAnUploadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	u, err := d.Create(ctx, "a/x")
	check(t, err)
	cancel()
	_, err = u.Write([]byte("x"))
	expectIs(t, err, context.Canceled)
	expectIs(t, u.Commit(), context.Canceled)
	if list := names(t, d, ""); len(list) != 0 {
		t.Errorf("listed %q", list)
	}
}

func TestADirectoryIsSweptOfWhatWasNeverCommitted(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := backup.OpenDir(path)
	check(t, err)
	defer dir.Close()
	create := func(name string) backup.Upload {
		u, err := dir.Create(t.Context(), name)
		check(t, err)
		_, err = u.Write([]byte("half"))
		check(t, err)
		return u
	}
	for _, name := range []string{"1-a/x.tar", "1-b/x.tar.age", "12-a/x.tar"} {
		create(name)
	}
	whole := create("1-a/whole.tar")
	check(t, whole.Commit())
	for _, foreign := range []string{"1-a/.keep", "1-a/.notes.tar.UPPERCAS", "1-a/.x.tar.short", ".abcdefgh", "1-a/..abcdefgh"} {
		check(t, os.WriteFile(filepath.Join(path, foreign), nil, 0o600))
	}
	removed, err := dir.Sweep(t.Context(), "1-", time.Now().Add(-time.Minute))
	if err != nil || len(removed) != 0 {
		t.Errorf("removed %q, which is being written: %v", removed, err)
	}
	old := time.Now().Add(-2 * time.Minute)
	check(t, filepath.WalkDir(path, func(name string, _ fs.DirEntry, _ error) error { return os.Chtimes(name, old, old) }))
	late := create("1-a/late.tar")
	removed, err = dir.Sweep(t.Context(), "1-", time.Now().Add(-time.Minute))
	check(t, err)
	if len(removed) != 2 || !strings.HasPrefix(removed[0], "1-a/.x.tar.") || !strings.HasPrefix(removed[1], "1-b/.x.tar.age.") {
		t.Errorf("removed %q", removed)
	}
	check(t, late.Commit())
	stopped := create("1-a/stopped.tar")
	removed, err = dir.Sweep(t.Context(), "", time.Now().Add(time.Hour))
	if err != nil || len(removed) != 2 { // that of 12-a, and this one
		t.Errorf("removed %q: %v", removed, err)
	}
	if err := stopped.Commit(); err == nil {
		t.Error("what was swept became a file")
	}
	var left []string
	for o, err := range dir.List(t.Context(), "") {
		check(t, err)
		left = append(left, o.Name)
	}
	if want := []string{"1-a/late.tar", "1-a/whole.tar"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
	for _, foreign := range []string{"1-a/.keep", "1-a/.notes.tar.UPPERCAS", "1-a/.x.tar.short", ".abcdefgh", "1-a/..abcdefgh"} {
		_, err := os.Stat(filepath.Join(path, foreign))
		check(t, err)
	}
}
