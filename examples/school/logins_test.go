package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
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
		if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), `school init --data-dir "`+dir+`"`) {
			t.Errorf("%s: %v", command, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s has made the directory: %v", command, err)
		}
	}
}

// Commands make nothing in a database that is not set up, and nothing in the data directory. init
// says what it has made.
func TestCommandsSetUpNoDatabase(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix() // to be dropped after the test
	dir := filepath.Join(tempDir(t), "data")
	where := []string{"--database-url", db.URL, "--data-dir", dir}
	objects := func() (all string) {
		check(t, db.Pool.QueryRow(t.Context(), `select concat_ws(' ',
			(select string_agg(rolname || coalesce(rolpassword, ''), ' ' order by rolname) from pg_authid where starts_with(rolname, $1)),
			(select string_agg(extname, ' ' order by extname) from pg_extension),
			(select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname !~ '^pg_'),
			(select datacl::text from pg_database where datname = current_database()))`, db.RolePrefix).Scan(&all))
		return all
	}
	before := objects()
	for _, command := range []string{
		"tenant list", "tenant show schoola", "domain list schoola", "migrate status", "drift schoola", "check", "logins", "code " + ada,
		"backup list", "audit tail", "hire a@b.example Ada", "backup schoola", "migrate",
	} {
		err := run(t.Context(), append(strings.Fields(command), where...), io.Discard, io.Discard)
		if !errors.Is(err, errNotSetUp) || !strings.Contains(err.Error(), "set it up with: go run ./examples/school init --database-url ") {
			t.Errorf("%s: %v", command, err)
		}
		if after := objects(); after != before {
			t.Fatalf("%s has changed the database: %s, before: %s", command, after, before)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s has made the directory: %v", command, err)
		}
	}
	for _, outcome := range []string{"done: create role ", "already set: create role "} {
		var out strings.Builder
		check(t, run(t.Context(), append([]string{"init"}, where...), &out, io.Discard))
		if !strings.Contains(out.String(), outcome) {
			t.Errorf("init does not say %q: %s", outcome, out.String())
		}
	}
	check(t, run(t.Context(), append([]string{"tenant", "list"}, where...), io.Discard, io.Discard))
}
