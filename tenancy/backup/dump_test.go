package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func TestACustomDumpIsRestoredByPgRestore(t *testing.T) {
	t.Parallel()
	f, schema := dumpable(t)
	info, err := f.service(t, backup.Config{}).Dump(t.Context(), "north", backup.DumpOptions{})
	require.NoError(t, err)
	assert.Equal(t, []string{info.Name}, f.objects(t))
	assert.Truef(t, strings.HasSuffix(info.Name, ".dump"), "name %q", info.Name)
	assert.Equal(t, schema, info.Schema)
	other := pgtest.New(t)
	client(t, f.read(t, info.Name), "pg_restore", "--exit-on-error", "--single-transaction", "--dbname="+other.URL)
	got, want := content(t, other, schema), content(t, f.pg, schema)
	assert.Equal(t, want, got)
	_, err = other.Pool.Exec(t.Context(), "insert into "+schema+".tags values (99, 'x')")
	assert.Error(t, err, "the foreign key is gone")
	var next int
	require.NoError(t,
		other.Pool.QueryRow(t.Context(), "insert into "+schema+".notes (body) values ('x') returning id").Scan(&next))
	assert.Equal(t, 5, next, "the sequence goes on with %d", next)
}

func TestAPlainDumpIsRestoredByPsql(t *testing.T) {
	t.Parallel()
	f, schema := dumpable(t)
	info, err := f.service(t, backup.Config{}).Dump(t.Context(), "north", backup.DumpOptions{Format: backup.DumpPlain})
	require.NoError(t, err)
	other := pgtest.New(t)
	client(t, f.read(t, info.Name), "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction",
		"--dbname="+other.URL)
	got, want := content(t, other, schema), content(t, f.pg, schema)
	assert.Equal(t, want, got)
}

func TestRowsOfOneTableAreRestoredFromADump(t *testing.T) {
	t.Parallel()
	f, schema := dumpable(t)
	before := content(t, f.pg, schema)
	info, err := f.service(t, backup.Config{}).Dump(t.Context(), "north", backup.DumpOptions{})
	require.NoError(t, err)
	f.exec(t, schema, "delete from tags")
	client(t, f.read(t, info.Name), "pg_restore", "--exit-on-error", "--single-transaction", "--data-only",
		"--schema="+schema, "--table=tags",
		"--dbname="+f.pg.URL)
	assert.Equal(t, before, content(t, f.pg, schema))
}

func TestADumpContainsOnlyOneTenant(t *testing.T) {
	t.Parallel()
	f, schema := dumpable(t)
	// Other schemas have names that a pattern of pg_dump could match.
	for _, other := range []string{schema + "0", strings.Replace(schema, "_", "x", 1), "x" + schema} {
		f.exec(t, "public", `create schema "`+other+`"; create table "`+other+`".theirs (body text); insert into "`+other+
			`".theirs values ('secret')`)
	}
	var plain, rights bytes.Buffer
	s := f.service(t, backup.Config{})
	_, err := s.DumpTo(t.Context(), "north", &plain, backup.DumpOptions{Format: backup.DumpPlain})
	require.NoError(t, err)
	_, err = s.DumpTo(t.Context(), "north", &rights, backup.DumpOptions{
		Format:     backup.DumpPlain,
		Privileges: backup.DumpAllPrivileges,
	})
	require.NoError(t, err)
	text := plain.String()
	assert.NotContains(t, text, "theirs", "the dump has more or less than the tenant")
	assert.NotContains(t, text, "secret", "the dump has more or less than the tenant")
	assert.Contains(t, text, "first", "the dump has more or less than the tenant")
	if assert.NotContains(t, plain.String(), f.roles.Owner(), "privileges are in the wrong dump") &&
		assert.Contains(t, rights.String(), `OWNER TO "`+f.roles.Owner()+`"`, "privileges are in the wrong dump") {
		assert.Contains(t, rights.String(), `TO "`+f.roles.Tenant(schema)+`"`, "privileges are in the wrong dump")
	}
}

func TestADumpIsEncryptedAsBackupsAre(t *testing.T) {
	t.Parallel()
	f, schema := dumpable(t)
	key, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	info, err := f.service(t, backup.Config{Recipients: []age.Recipient{key.Recipient()}}).Dump(t.Context(), "north",
		backup.DumpOptions{})
	require.NoError(t, err)
	r, err := age.Decrypt(bytes.NewReader(f.read(t, info.Name)), key)
	require.NoError(t, err)
	dump, err := io.ReadAll(r)
	require.NoError(t, err)
	other := pgtest.New(t)
	client(t, dump, "pg_restore", "--exit-on-error", "--dbname="+other.URL)
	got, want := content(t, other, schema), content(t, f.pg, schema)
	assert.Equal(t, want, got, "got %q, want %q; info %+v", got, want, info)
	assert.True(t, info.Encrypted, "got %q, want %q; info %+v", got, want, info)
	assert.True(t, strings.HasSuffix(info.Name, ".dump.age"), "got %q, want %q; info %+v", got, want, info)
}

func TestADumpIsNoBackup(t *testing.T) {
	t.Parallel()
	f, _ := dumpable(t)
	s := f.service(t, backup.Config{})
	_, err := s.Dump(t.Context(), "north", backup.DumpOptions{})
	require.NoError(t, err)
	for info, err := range s.Backups(t.Context(), 0) {
		assert.Fail(t, "a dump is listed", "%+v, %v", info, err)
	}
}

func TestACancelledDumpLeavesNothing(t *testing.T) {
	t.Parallel()
	f, schema := dumpable(t)
	tx, err := f.owner.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background()) //nolint:errcheck // ends the lock
	_, err = tx.Exec(t.Context(), "lock table "+schema+".notes in access exclusive mode")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := f.service(t, backup.Config{}).Dump(ctx, "north", backup.DumpOptions{})
		failed <- err
	}()
	sessions := func(condition string) (n int) {
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and application_name = 'pgtenant dump' and `+condition).Scan(&n))
		return n
	}
	eventually(t, "pg_dump waiting for the table", func() bool { return sessions("wait_event_type = 'Lock'") == 1 })
	cancel()
	assert.ErrorIs(t, <-failed, context.Canceled)
	eventually(t, "pg_dump to be gone from the server", func() bool { return sessions("true") == 0 })
	f.expectEmpty(t)
}

func TestADumpThatCannotBeStoredLeavesNothing(t *testing.T) {
	t.Parallel()
	f, _ := dumpable(t)
	for _, room := range []int{0, 100, 2000} {
		_, err := f.service(t, backup.Config{Store: &fullStore{f.dir, room}}).Dump(t.Context(), "north", backup.DumpOptions{})
		assert.ErrorIs(t, err, errFull)
		f.expectEmpty(t)
	}
}

func TestAToolThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	tool := program(
		t,
		saysNewest+`echo "half of it"; echo "arguments: $*" >&2; echo "password is $PGPASSWORD" >&2; exit 3`,
	)
	var half bytes.Buffer
	s := f.service(t, backup.Config{Dump: backup.DumpConfig{Tool: tool, Env: []string{"PGPASSWORD=s3cret"}}})
	_, err := s.DumpTo(t.Context(), "north", &half, backup.DumpOptions{})
	assert.ErrorIs(t, err, backup.ErrTool)
	_, err = s.Dump(t.Context(), "north", backup.DumpOptions{})
	var stopped *backup.ToolError
	require.ErrorAs(t, err, &stopped, "%q", half.String())
	require.Equal(t, "half of it\n", half.String())
	want := `arguments: --schema="tenant_1" --strict-names --no-password --encoding=UTF8 ` +
		`--quote-all-identifiers --lock-wait-timeout=30000 ` +
		`--format=custom --no-owner --no-privileges password is [password]`
	if assert.Equal(t, want, stopped.Message) {
		assert.NotContains(t, err.Error(), "s3cret")
	}
	f.expectEmpty(t)
}

func TestAToolGetsOnlyRequiredArgumentsAndEnvironment(t *testing.T) {
	t.Setenv("PGHOSTADDR", "192.0.2.1") // pgx ignores it, pg_dump would use it
	t.Setenv("OUR_OWN_SECRET", "x")
	f := setup(t, notes)
	f.create(t, "north")
	var env bytes.Buffer
	s := f.service(t, backup.Config{Dump: backup.DumpConfig{Tool: program(t, saysNewest+"env")}})
	_, err := s.DumpTo(t.Context(), "north", &env, backup.DumpOptions{})
	require.NoError(t, err)
	for _, want := range []string{
		"PGOPTIONS=-c enable_mergejoin=off\n", "PGPASSWORD=o\n", "PGUSER=" + f.roles.Owner() + "\n",
		"PGDATABASE=" + f.pg.Name + "\n",
	} {
		assert.Contains(t, env.String(), want, "%q is not in\n%s", want, env.String())
	}
	for _, other := range []string{"PGHOSTADDR", "OUR_OWN_SECRET"} {
		assert.NotContains(t, env.String(), other, "%q is in\n%s", other, env.String())
	}
}

func TestAnUnusableToolIsRefusedBeforeItRuns(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	ran := filepath.Join(t.TempDir(), "ran")
	old := program(
		t,
		`if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 13.4 (Debian 13.4-1)"; exit 0; fi; touch `+ran,
	)
	for path, want := range map[string]error{
		old:                            backup.ErrToolVersion,
		filepath.Join(ran, "no", "no"): backup.ErrTool,
		program(t, "echo hello"):       backup.ErrTool,
		program(t, "exit 1"):           backup.ErrTool,
	} {
		_, err := f.service(t, backup.Config{Dump: backup.DumpConfig{Tool: path}}).Dump(t.Context(), "north",
			backup.DumpOptions{})
		assert.ErrorIs(t, err, want)
		var refused *backup.ToolVersionError
		assert.True(t,
			!errors.Is(want, backup.ErrToolVersion) || errors.As(err, &refused) && refused.Version == 13 &&
				refused.Server == pgtest.Version(t),
			"got %v", err)
	}
	_, err := os.Stat(ran)
	assert.Error(t, err, "the tool was run")
	f.expectEmpty(t)
}

func TestTenantsThatCannotBeDumpedAreRefused(t *testing.T) {
	t.Parallel()
	f, schema := dumpable(t)
	s := f.service(t, backup.Config{})
	_, err := s.Dump(t.Context(), "south", backup.DumpOptions{})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	for _, opts := range []backup.DumpOptions{{Format: 9}, {Privileges: 9}} {
		_, err = s.Dump(t.Context(), "north", opts)
		assert.Error(t, err, "%+v was accepted", opts)
	}
	f.admin(t, "public", "alter schema "+schema+" rename to elsewhere")
	_, err = s.Dump(t.Context(), "north", backup.DumpOptions{})
	assert.ErrorIs(t, err, backup.ErrTool) // instead of an empty dump
	f.admin(t, "public", "update public.tenants set status = 'dropping'")
	_, err = s.Dump(t.Context(), "north", backup.DumpOptions{})
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	f.expectEmpty(t)
}

// read returns the content of a file in the fixture's directory.
func (f *fixture) read(t testing.TB, name string) []byte {
	t.Helper()
	file, err := f.dir.Open(t.Context(), name)
	require.NoError(t, err)
	defer file.Close()
	data, err := io.ReadAll(file)
	require.NoError(t, err)
	return data
}

// expectEmpty expects the store to have no file, and no part of one.
func (f *fixture) expectEmpty(t testing.TB) {
	t.Helper()
	assert.Empty(t, f.objects(t), "store has")
}

func eventually(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		require.False(t, time.Now().After(deadline), "timed out waiting for %s", what)
	}
}
