package migrate_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// texts makes a source of whole files.
func texts(name string, files map[string]string) migrate.Source {
	m := make(fstest.MapFS)
	for file, text := range files {
		m[file] = &fstest.MapFile{Data: []byte(text)}
	}
	return migrate.Source{Name: name, FS: m}
}

// both are three migrations that can be undone.
var both = map[string]string{
	"00001_a.sql": "-- +goose Up\ncreate table a (id int);\n-- +goose Down\ndrop table a;\n",
	"00002_b.sql": "-- +goose Up\ncreate table b (id int);\n-- +goose Down\ndrop table b;\n",
	"00003_c.sql": "-- +goose Up\ncreate table c (id int);\n-- +goose Down\ndrop table c;\n",
}

func (f fixture) tenant(t *testing.T, sources ...migrate.Source) *migrate.Runner {
	t.Helper()
	return f.runnerWith(t, migrate.Config{Tenant: sources})
}

// tables returns the tables of a schema except the version table.
func (f fixture) tables(t *testing.T, schema string) (names string) {
	t.Helper()
	f.Scan(
		t,
		"select coalesce(string_agg(relname, ' ' order by relname), '') from pg_class where relkind = 'r' "+
			"and relname <> 'goose_db_version' and relnamespace = '"+schema+"'::regnamespace",
		&names,
	)
	return names
}

func expectVersions(t *testing.T, got []int64, want ...int64) {
	t.Helper()
	assert.Equal(t, want, got, "versions")
}

func TestUpToDownToAndRedo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	res, err := r.UpTo(t.Context(), "tenant_1", 2)
	require.NoError(t, err)
	expectVersions(t, res.Applied, 1, 2)
	assert.Equal(t, "a b", f.tables(t, "tenant_1"), "tables")
	f.Exec(t, "insert into tenant_1.b values (1)")
	res, err = r.Redo(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, res.Undone, 2)
	expectVersions(t, res.Applied, 2)
	var left int
	f.Scan(t, "select count(*) from tenant_1.b", &left)
	assert.Equal(t, 0, left, "redo did not undo")
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	res, err = r.Down(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, res.Undone, 3)
	assert.Equal(t, int64(3), res.From, "result %+v", res)
	assert.Equal(t, int64(2), res.To, "result %+v", res)
	res, err = r.DownTo(t.Context(), "tenant_1", 0)
	require.NoError(t, err)
	expectVersions(t, res.Undone, 2, 1)
	got := f.tables(t, "tenant_1")
	assert.Empty(t, got, "tables %q are left", got)
	for _, again := range []func(context.Context, string) (migrate.Result, error){r.Down, r.Redo} {
		res, err = again(t.Context(), "tenant_1")
		require.NoError(t, err)
		expectVersions(t, res.Undone)
	}
	_, err = r.UpTo(t.Context(), "tenant_1", 9)
	assert.ErrorIs(t, err, migrate.ErrNoMigration)
	_, err = r.DownTo(t.Context(), "tenant_1", -1)
	assert.ErrorIs(t, err, migrate.ErrNoMigration)
}

func TestDownNeedsADownSectionOfEach(t *testing.T) {
	t.Parallel()
	f := setup(t)
	files := map[string]string{
		"00001_a.sql": both["00001_a.sql"],
		"00002_b.sql": "-- +goose Up\ncreate table b ();\n",
		"00003_c.sql": both["00003_c.sql"],
		"00004_d.sql": "-- +goose Up\nselect 1;\n-- +goose Down\n",
	}
	r := f.tenant(t, texts("app", files))
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	res, err := r.DownTo(t.Context(), "tenant_1", 0)
	assert.ErrorIs(t, err, migrate.ErrNoDown)
	expectVersions(t, res.Undone)
	assert.Equal(t, "a b c", f.tables(t, "tenant_1"), "tables")
	res, err = r.Down(t.Context(), "tenant_1") // an empty Down section undoes nothing, on purpose
	require.NoError(t, err)
	expectVersions(t, res.Undone, 4)
}

func TestDownUndoesInTheReverseOrderOfApplication(t *testing.T) {
	t.Parallel()
	f := setup(t)
	library := texts(
		"library",
		map[string]string{"00100_lib.sql": "-- +goose Up\ncreate table lib ();\n-- +goose Down\ndrop table lib;\n"},
	)
	require.NoError(t, f.tenant(t, library).Migrate(t.Context(), "tenant_1"))
	r := f.tenant(t, library, texts("app", both))
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	res, err := r.Down(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, res.Undone, 3)
	res, err = r.DownTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
	expectVersions(t, res.Undone, 2, 100)
}

func TestFailedDownStopsWhereItIs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	f.Exec(t, "drop table tenant_1.b")
	res, err := r.DownTo(t.Context(), "tenant_1", 0)
	expectVersions(t, res.Undone, 3)
	var failure *migrate.Error
	if assert.ErrorAs(t, err, &failure) &&
		assert.Equal(t, int64(2), failure.Version) &&
		assert.Equal(t, migrate.Down, failure.Direction) &&
		assert.Equal(t, 4, failure.Line) {
		assert.Equal(t, "42P01", failure.SQLState())
	}
	got := f.tables(t, "tenant_1")
	assert.Equal(t, "a", got, "tables %q, at version %d", got, res.To)
	assert.Equal(t, int64(2), res.To, "tables %q, at version %d", got, res.To)
}

func TestOutOfOrderIsAllowedWhereTheConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	part := map[string]string{"20250103_c.sql": both["00003_c.sql"], "20250101_a.sql": both["00001_a.sql"]}
	require.NoError(t, f.tenant(t, texts("app", part)).Migrate(t.Context(), "tenant_1"))
	part["20250102_b.sql"] = both["00002_b.sql"]
	status, err := f.tenant(t, texts("app", part)).Status(t.Context(), "tenant_1")
	require.NoError(t, err)
	assert.ErrorIs(t, status.Err, migrate.ErrOutOfOrder)
	expectVersions(t, status.Versions(migrate.Pending), 20250102)
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{texts("app", part)}, OutOfOrder: migrate.Allow})
	res, err := r.Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, res.Applied, 20250102)
}

func TestRedoWithoutATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := texts("app", map[string]string{
		"00001_a.sql": "-- +goose NO TRANSACTION\n-- +goose Up\ncreate table a (id int);\n-- +goose Down\ndrop table a;\n",
	})
	for _, lock := range []migrate.Lock{migrate.LockAdvisory, migrate.LockSession} {
		r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{src}, Lock: lock})
		require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
		res, err := r.Redo(t.Context(), "tenant_1")
		require.NoError(t, err)
		expectVersions(t, res.Undone, 1)
		expectVersions(t, res.Applied, 1)
	}
}
