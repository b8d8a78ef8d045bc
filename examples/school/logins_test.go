package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// A key file of another user, or one that others can read, is refused.
func TestKeyFileReadableByOthersIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := loginKey(dir)
	require.NoError(t, err)
	again, err := loginKey(dir)
	assert.NoError(t, err, "the second time")
	assert.Equal(t, string(first), string(again), "the second time")
	path := filepath.Join(dir, keyFile)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o660, 0o602} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := loginKey(dir)
		assert.ErrorContains(t, err, "chmod 600", "with mode %v", mode)
	}
	require.NoError(t, os.Rename(path, path+".theirs"))
	require.NoError(t, os.Chmod(path+".theirs", 0o600))
	require.NoError(t, os.Symlink(path+".theirs", path))
	_, err = loginKey(dir)
	assert.Error(t, err, "a symbolic link is accepted as a key")
}

// With a missing or misspelt --data-dir, a command does not create a second, empty database.
func TestCommandsStartNoDatabase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "no such data")
	for _, command := range []string{
		"logins", "backup schoola", "tenant list", "restore schoola --yes", "migrate", "hire a@b.example Ada",
	} {
		args := append(strings.Fields(command), "--data-dir", dir)
		err := run(t.Context(), args, io.Discard, io.Discard)
		if assert.ErrorContains(t, err, dir, command) {
			assert.Contains(t, err.Error(), `school init --data-dir "`+dir+`"`, command)
		}
		_, err = os.Stat(dir)
		require.ErrorIs(t, err, fs.ErrNotExist, "%s has made the directory", command)
	}
}

// Commands create nothing in a database that is not set up, and nothing in the data directory. The
// command init reports what it has created.
func TestCommandsSetUpNoDatabase(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix() // dropped after the test
	dir := filepath.Join(tempDir(t), "data")
	where := []string{"--database-url", db.URL, "--data-dir", dir}
	objects := func() (all string) {
		require.NoError(t, db.Pool.QueryRow(t.Context(), `select concat_ws(' ',
			(select string_agg(rolname || coalesce(rolpassword, ''), ' ' order by rolname) from pg_authid
				where starts_with(rolname, $1)),
			(select string_agg(extname, ' ' order by extname) from pg_extension),
			(select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname !~ '^pg_'),
			(select datacl::text from pg_database where datname = current_database()))`, db.RolePrefix).Scan(&all))
		return all
	}
	before := objects()
	for _, command := range []string{
		"tenant list", "tenant show schoola", "domain list schoola", "migrate status", "drift schoola", "check", "logins",
		"code " + ada,
		"backup list", "audit tail", "hire a@b.example Ada", "backup schoola", "migrate",
	} {
		err := run(t.Context(), append(strings.Fields(command), where...), io.Discard, io.Discard)
		if assert.ErrorIs(t, err, errNotSetUp, command) {
			assert.Contains(t, err.Error(), "set it up with: go run ./examples/school init --database-url ", command)
		}
		after := objects()
		require.Equal(t, before, after, "%s has changed the database: %s, before", command, after)
		_, err = os.Stat(dir)
		require.ErrorIs(t, err, fs.ErrNotExist, "%s has made the directory", command)
	}
	for _, outcome := range []string{"done: create role ", "already set: create role "} {
		var out strings.Builder
		require.NoError(t, run(t.Context(), append([]string{"init"}, where...), &out, io.Discard))
		assert.Contains(t, out.String(), outcome, "init does not say %q", outcome)
	}
	require.NoError(t, run(t.Context(), append([]string{"tenant", "list"}, where...), io.Discard, io.Discard))
}
