package backup_test

import (
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// builtConcurrently are migrations that build indexes concurrently. Migrations of the table come
// before and after them.
var builtConcurrently = migrate.Source{Name: "built", FS: fstest.MapFS{
	"00001_a.sql": {Data: []byte("-- +goose Up\ncreate table t (id int, s text);\n-- +goose Down\ndrop table t;\n")},
	"00002_b.sql": {Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently t_s on t (s);\n" +
		"create index concurrently t_s2 on t (s) where id > 3;\nvacuum analyze t;\n" +
		"-- +goose Down\ndrop index concurrently t_s;\ndrop index concurrently t_s2;\n")},
	"00003_c.sql": {
		Data: []byte("-- +goose Up\nalter table t add column n int;\n-- +goose Down\nalter table t drop column n;\n"),
	},
}}

// Tenants are created, backed up, restored and cloned while a session holds a snapshot for longer
// than the lock timeout.
func TestIndexesThatAreBuiltConcurrentlyDoNotWaitForOtherSessions(t *testing.T) {
	t.Parallel()
	f := setup(t, builtConcurrently)
	tx, err := f.owner.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }() // the connection is closed with the pool
	require.NoError(t, tx.QueryRow(t.Context(), "select count(*) from pg_class").Scan(new(int)))

	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, "insert into t select n, 's' || n, n from generate_series(1, 10) n")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	restored, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	clone, err := s.Clone(t.Context(), "north", backup.CloneOptions{
		Slug: "copy", Name: "Copy",
		Domain: "copy.example.com",
	})
	require.NoError(t, err)
	structure, err := s.Clone(t.Context(), "north", backup.CloneOptions{
		Slug: "empty", Name: "Empty",
		Domain: "empty.example.com", Data: backup.CloneStructure,
	})
	require.NoError(t, err)
	for schema, rows := range map[string]int{
		restored.Tenant.Schema: 10, clone.Tenant.Schema: 10,
		structure.Tenant.Schema: 0,
	} {
		var valid, found int
		require.NoError(t, f.owner.QueryRow(t.Context(),
			"select count(*) from pg_index where indrelid = $1::text::regclass and indisvalid",
			schema+".t").Scan(&valid))
		require.NoError(t, f.owner.QueryRow(t.Context(), "select count(*) from "+schema+".t where n = id").Scan(&found))
		assert.Equal(t, 2, valid, schema)
		assert.Equal(t, rows, found, schema)
	}
}

// A create that was interrupted during the build of an index continues, and builds the index again.
func TestResumeRebuildsAnInvalidIndex(t *testing.T) {
	t.Parallel()
	broken := fstest.MapFS{}
	for name, file := range builtConcurrently.FS.(fstest.MapFS) {
		broken[name] = file
	}
	broken["00003_c.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nselect 1/0;\n")}
	f := setup(t, migrate.Source{Name: "built", FS: broken})
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "north", Domain: "north.example.com"})
	require.Error(t, err)
	tenant, err := f.tenants.BySlug(t.Context(), "north")
	require.NoError(t, err)
	f.exec(t, tenant.Schema, "delete from goose_db_version where version_id = 2")
	f.admin(t, tenant.Schema, "update pg_index set indisvalid = false where indexrelid = 't_s'::regclass; drop index t_s2")
	f.connect(t, builtConcurrently)
	_, err = f.tenants.Resume(t.Context(), "north")
	require.NoError(t, err)
	var valid, all int
	require.NoError(
		t,
		f.owner.QueryRow(t.Context(), "select count(*) filter (where indisvalid), count(*) from pg_index "+
			"where indrelid = $1::text::regclass",
			tenant.Schema+".t").
			Scan(&valid, &all),
	)
	assert.Equal(t, []int{2, 2}, []int{valid, all})
}
