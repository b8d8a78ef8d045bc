package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A key that somebody else has left, or can read, is no secret.
func TestAKeyThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := loginKey(dir)
	check(t, err)
	if again, err := loginKey(dir); err != nil || string(again) != string(first) {
		t.Errorf("the second time: %v", err)
	}
	path := filepath.Join(dir, keyFile)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o660, 0o602} {
		check(t, os.Chmod(path, mode))
		if _, err := loginKey(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("with mode %v: %v", mode, err)
		}
	}
	check(t, os.Rename(path, path+".theirs"))
	check(t, os.Chmod(path+".theirs", 0o600))
	check(t, os.Symlink(path+".theirs", path))
	if _, err := loginKey(dir); err == nil {
		t.Error("a link to a key was taken")
	}
}

// A --data-dir that was forgotten, or has a typing error, makes no second, empty database.
func TestCommandsMakeNoDatabase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "no such data")
	for _, command := range []string{"logins", "backup schoola", "tenant list", "restore schoola --yes", "migrate", "hire a@b.example Ada"} {
		args := append(strings.Fields(command), "--data-dir", dir)
		err := run(t.Context(), args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "school init --data-dir '"+dir+"'") {
			t.Errorf("%s: %v", command, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s has made the directory: %v", command, err)
		}
	}
}
