package backup_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// tool returns the path of a PostgreSQL program.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return path
}

// dumpable returns a fixture with a tenant that pg_dump can dump. If the installed pg_dump is older
// than the server, it checks the refusal and skips the test.
func dumpable(t testing.TB) (*fixture, string) {
	t.Helper()
	tool(t, "pg_dump")
	f := setup(t, notes)
	schema := f.create(t, "north").Schema
	f.exec(
		t,
		schema,
		"insert into notes (body) values ('first'), ('sec\nond'), (''), (null); insert into tags values (1, 'a'), (1, 'b')",
	)
	var old *backup.ToolVersionError
	_, err := f.service(t, backup.Config{}).DumpTo(t.Context(), "north", &bytes.Buffer{}, backup.DumpOptions{})
	if errors.As(err, &old) {
		require.ErrorIs(t, err, backup.ErrToolVersion)
		require.Equal(t, pgtest.Version(t), old.Server)
		require.Less(t, old.Version, old.Server)
		t.Skipf("the installed pg_dump is older than the server, and was refused: %v", err)
	}
	require.NoError(t, err)
	return f, schema
}

// program writes a shell script that the test runs as pg_dump.
func program(t testing.TB, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pg_dump")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return path
}

// saysNewest is the start of a script that reports a very new version.
const saysNewest = `if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.1"; exit 0; fi
`

// client runs a PostgreSQL program as the administrator of a database, and expects success.
func client(t testing.TB, stdin []byte, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %v: %s", name, err, out)
}

// content returns the rows of notes and tags in a database.
func content(t testing.TB, db *pgtest.DB, schema string) string {
	t.Helper()
	rows, err := db.Pool.Query(t.Context(), "select coalesce(string_agg(x::text, ' ' order by x), '') from "+schema+
		".notes x "+
		"union all select coalesce(string_agg(x::text, ' ' order by x), '') from "+schema+".tags x")
	require.NoError(t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return texts[0] + " | " + texts[1]
}

// fullStore is a store whose disk is full after room bytes.
type fullStore struct {
	*backup.Dir
	room int
}

var errFull = errors.New("no space left")

func (s *fullStore) Create(ctx context.Context, name string) (backup.Upload, error) {
	u, err := s.Dir.Create(ctx, name)
	return &fullUpload{u, s.room}, err
}

type fullUpload struct {
	backup.Upload
	room int
}

func (u *fullUpload) Write(p []byte) (int, error) {
	if u.room -= len(p); u.room < 0 {
		return 0, errFull
	}
	return u.Upload.Write(p)
}
