package backup_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// oneFile returns a source of one migration.
func oneFile(sql string) migrate.Source {
	return migrate.Source{Name: "test", FS: fstest.MapFS{"00001_all.sql": {Data: []byte("-- +goose Up\n" + sql)}}}
}

func TestUnsupportedObjectsAreRefusedByName(t *testing.T) {
	t.Parallel()
	f := setup(t, oneFile(`create domain scan as oid;
		create type holder as (n int, o oid);
		create table documents (id int, image oid, scans scan[], holders holder, kind regclass, fine text,
			made oid generated always as (1::oid) stored);
		create table hidden (id int);
		alter table hidden enable row level security;
		alter table hidden force row level security;
		create table parts (id int) partition by list (id);
	`))
	tenant := f.create(t, "north")
	for _, sql := range []string{
		"create extension file_fdw schema " + tenant.Schema,
		"create server files foreign data wrapper file_fdw",
		"create foreign table " + tenant.Schema + ".prices (id int) server files options (filename '/nowhere')",
		"create table public.part_1 partition of " + tenant.Schema + ".parts for values in (1)",
		"create table public.whole (id int) partition by list (id)",
		"create table " + tenant.Schema + ".piece partition of public.whole for values in (1)",
	} {
		if _, err := f.pg.Pool.Exec(t.Context(), sql); err != nil {
			if strings.Contains(sql, "file_fdw") || strings.Contains(sql, "files") {
				t.Skipf("the server has no file_fdw: %v", err)
			}
			require.NoError(t, err)
		}
	}
	_, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	var refused *backup.UnsupportedError
	require.ErrorAs(t, err, &refused)
	require.ErrorIs(t, err, backup.ErrUnsupported)
	var objects []string
	for _, o := range refused.Objects {
		objects = append(objects, o.Object)
		assert.Contains(t, err.Error(), o.Object+" "+o.Reason, "%v does not name %s", err, o.Object)
	}
	want := []string{
		"extension file_fdw", "table hidden", "table parts", "table piece", "table prices",
		"column documents.image", "column documents.scans", "column documents.holders", "column documents.kind",
	}
	assert.Equal(t, want, objects)
	names := f.files(t)
	assert.Empty(t, names, "the directory has %q", names)
}

func TestASuperuserBacksUpRowsThatRowSecurityHides(t *testing.T) {
	t.Parallel()
	f := setup(t, oneFile(`create table hidden (id int);
		alter table hidden enable row level security;
		alter table hidden force row level security;
	`))
	tenant := f.create(t, "north")
	_, err := f.pg.Pool.Exec(t.Context(), "insert into "+tenant.Schema+".hidden values (1)")
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), "alter role "+f.roles.Owner()+" bypassrls")
	require.NoError(t, err)
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	assert.Equal(t, int64(1), info.Rows, "%d rows", info.Rows)
}

func TestDriftIsRefusedOrRecorded(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	s := f.service(t, backup.Config{})
	for range 2 {
		_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
		require.NoError(t, err)
	}
	f.exec(
		t,
		tenant.Schema,
		`alter table notes add column own text; create table mine (a int); insert into mine values (1);
		grant select on notes to public; insert into notes (own) values ('x')`,
	)
	_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	var drift *backup.DriftError
	want := []string{"table mine is unexpected", "table notes: column own is unexpected"}
	require.ErrorAs(t, err, &drift)
	require.ErrorIs(t, err, backup.ErrDrift)
	require.Equal(t, want, drift.Differences)
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.NoError(t, err)
	assert.Equal(t, want, info.Differences, "info %+v", info)
	assert.Equal(t, 3, info.Tables, "info %+v", info)
	assert.Equal(t, int64(2), info.Rows, "info %+v", info)
}

func TestATenantThatIsBehindIsComparedWithItsOwnRelease(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, "insert into notes (body) values ('x')")
	newer := fstest.MapFS{"00003_more.sql": {Data: []byte("-- +goose Up\nalter table notes add column more text;\n")}}
	for name, file := range notes.FS.(fstest.MapFS) {
		newer[name] = file
	}
	runner, err := migrate.New(f.owner, migrate.Config{Tenant: []migrate.Source{{Name: "test", FS: newer}}})
	require.NoError(t, err)
	older := f.runner
	f.runner = runner
	s := f.service(t, backup.Config{})
	for _, columns := range []int{2, 3} {
		info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
		require.NoError(t, err)
		h, _, _ := f.stored(t, info.Name, plain)
		assert.Len(t, h.Migrations, columns)
		assert.Len(t, h.Tables[0].Columns, columns)
		require.NoError(t, runner.Migrate(t.Context(), tenant.Schema))
	}

	f.runner = older // a program of the previous release finds an object that it does not know
	s = f.service(t, backup.Config{})
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	assert.ErrorIs(t, err, backup.ErrVersions)
	assert.ErrorIs(t, err, migrate.ErrUnknownVersion)
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.NoError(t, err)
	assert.Len(t, info.Differences, 1, "info %+v", info)
	assert.Equal(t, int64(1), info.Rows, "info %+v", info)
}

func TestInvalidConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	for _, cfg := range []backup.Config{
		{},
		{Pool: f.owner},
		{Pool: f.owner, Tenants: f.tenants},
		{Pool: f.owner, Tenants: f.tenants, Migrations: f.runner, LockTimeout: -1},
		{Pool: f.owner, Tenants: f.tenants, Migrations: f.runner, Level: 20},
	} {
		_, err := backup.New(cfg)
		assert.Error(t, err, "%+v was accepted", cfg)
	}
	f.create(t, "north")
	s, err := backup.New(backup.Config{Pool: f.owner, Tenants: f.tenants, Migrations: f.runner})
	require.NoError(t, err)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	assert.Error(t, err, "there is no store")
}
