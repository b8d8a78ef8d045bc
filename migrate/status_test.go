package migrate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

func edited() map[string]string {
	return map[string]string{
		"00001_a.sql": both["00001_a.sql"],
		"00002_b.sql": "-- +goose Up\ncreate table b (id int, more int);\n-- +goose Down\ndrop table b;\n",
		"00003_c.sql": both["00003_c.sql"],
	}
}

func TestStatusTellsOfEditedFiles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before := time.Now().Add(-time.Minute)
	require.NoError(t, f.tenant(t, texts("app", both)).Migrate(t.Context(), "tenant_1"))
	r := f.tenant(t, texts("app", edited()))
	status, err := r.Status(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, status.Versions(migrate.Applied), 1, 3)
	expectVersions(t, status.Versions(migrate.Changed), 2)
	m := status.Migrations[1]
	if assert.Equal(t, "b", m.Name, "status %+v", m) &&
		assert.Equal(t, "app", m.Source, "status %+v", m) &&
		assert.False(t, m.AppliedAt.Before(before), "status %+v", m) {
		assert.False(t, m.AppliedAt.After(time.Now().Add(time.Minute)), "status %+v", m)
	}
	require.NoError(t, status.Err)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1")) // the default allows it

	strict := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{texts("app", edited())}, Changed: migrate.Refuse})
	assert.ErrorIs(t, strict.Migrate(t.Context(), "tenant_1"), migrate.ErrChanged)
	_, err = strict.Down(t.Context(), "tenant_1")
	assert.ErrorIs(t, err, migrate.ErrChanged)
	_, err = r.DownTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
	require.NoError(t, strict.Migrate(t.Context(), "tenant_1")) // applied again, from the current file
	status, err = strict.Status(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, status.Versions(migrate.Applied), 1, 2, 3)
}

func TestChecksumsAreForgottenWhereGooseAppliedAnew(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.tenant(t, texts("app", both)).Migrate(t.Context(), "tenant_1"))
	f.Exec(
		t,
		"delete from tenant_1.goose_db_version where version_id = 2; "+
			"insert into tenant_1.goose_db_version (version_id, is_applied) values (2, true)",
	)
	status, err := f.tenant(t, texts("app", edited())).Status(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, status.Versions(migrate.Applied), 1, 2, 3)
}

func TestForeignCommentIsKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	_, err := r.UpTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
	for _, comment := range []string{"foreign", `{"a": 1}`, "null"} {
		f.Exec(t, fmt.Sprintf("comment on table tenant_1.goose_db_version is '%s'", comment))
		require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
		_, err = r.DownTo(t.Context(), "tenant_1", 1)
		require.NoError(t, err)
		var got string
		f.Scan(t, "select obj_description('tenant_1.goose_db_version'::regclass)", &got)
		assert.Equal(t, comment, got, "the comment is %q now", got)
	}
}

func TestVersionTablesAsTheyAreFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	const table = "create table tenant_1.goose_db_version (id serial primary key, version_id bigint not null, " +
		"is_applied boolean not null, tstamp timestamp default now());"
	for name, c := range map[string]struct {
		sql     string
		applied []int64
		err     error
	}{
		"none":  {"select 1", nil, nil},
		"empty": {table, nil, nil},
		"older goose": {table + "insert into tenant_1.goose_db_version (version_id, is_applied) values (0, true), " +
			"(1, true), (2, true), (2, false)", []int64{1}, nil},
		"up again": {table + "insert into tenant_1.goose_db_version (version_id, is_applied) values (1, true), " +
			"(1, false), (1, true)", []int64{1}, nil},
		"rows twice": {table + "insert into tenant_1.goose_db_version (version_id, is_applied, tstamp) " +
			"values (0, true, null), (1, true, null), (1, true, null)", []int64{1}, nil},
		"a newer program": {table + "insert into tenant_1.goose_db_version (version_id, is_applied) values (1, true), " +
			"(9, true)", []int64{1}, migrate.ErrUnknownVersion},
	} {
		f.Exec(t, "drop schema tenant_1 cascade; create schema tenant_1;"+c.sql)
		status, err := r.Status(t.Context(), "tenant_1")
		require.NoError(t, err)
		expectVersions(t, status.Versions(migrate.Applied), c.applied...)
		assert.ErrorIs(t, status.Err, c.err, name)
		if c.err != nil {
			expectVersions(t, status.Versions(migrate.Unknown), 9)
			_, err := r.Down(t.Context(), "tenant_1")
			assert.ErrorIs(t, err, c.err)
			continue
		}
		if len(c.applied) > 0 {
			f.Exec(t, "create table tenant_1.a ()")
		}
		require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
		assert.Equal(t, "a b c", f.tables(t, "tenant_1"), "%s: tables", name)
		_, err = r.DownTo(t.Context(), "tenant_1", 0)
		require.NoError(t, err)
		require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	}
}

func TestVersionTableOfAnotherShape(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	for _, sql := range []string{
		"create table tenant_1.goose_db_version (version text)",
		"create table tenant_1.goose_db_version (id int, version_id text, is_applied boolean, tstamp timestamp)",
		"create table tenant_1.goose_db_version (id int, version_id bigint, is_applied int, tstamp timestamp)",
		"create table tenant_1.goose_db_version (id int, version_id bigint, is_applied boolean, tstamp text)",
		"create sequence tenant_1.goose_db_version",
	} {
		f.Exec(t, "drop schema tenant_1 cascade; create schema tenant_1;"+sql)
		_, statusErr := r.Status(t.Context(), "tenant_1")
		for _, err := range []error{statusErr, r.Migrate(t.Context(), "tenant_1")} {
			var tableErr *migrate.TableError
			if assert.ErrorAs(t, err, &tableErr, sql) && assert.Equal(t, "tenant_1", tableErr.Schema, sql) {
				assert.Equal(t, "goose_db_version", tableErr.Table, sql)
			}
		}
	}
}

func TestSchemaDroppedBetweenTheMigrations(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := source("app", map[string]string{
		"00001_a.sql": "create table a ();",
		"00002_b.sql": "-- +goose NO TRANSACTION\ndrop schema tenant_1 cascade;\ncreate table b ();",
	})
	res, err := f.tenant(t, src).Up(t.Context(), "tenant_1")
	assert.ErrorIs(t, err, migrate.ErrSchemaMissing)
	expectVersions(t, res.Applied, 1)
}
