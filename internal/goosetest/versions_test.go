package goosetest_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

var three = fstest.MapFS{
	"00001_a.sql": {Data: []byte("-- +goose Up\ncreate table a (id int);\n-- +goose Down\ndrop table a;\n")},
	"00002_b.sql": {
		Data: []byte(
			"-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently b on a (id);\n-- +goose Down\n" +
				"drop index concurrently b;\n",
		),
	},
	"00003_c.sql": {Data: []byte("-- +goose Up\ncreate table c (id int);\n-- +goose Down\ndrop table c;\n")},
}

func TestGooseReadsVersionsOfMigrate(t *testing.T) {
	t.Parallel()
	b := setup(t, three)
	require.NoError(t, b.runner.Migrate(t.Context(), schema))
	b.expectApplied(t, 1, 2, 3)
	pending, err := b.goose.HasPending(t.Context())
	assert.False(t, pending, "goose reports pending migrations")
	assert.NoError(t, err, "goose reports whether migrations are pending")
	results, err := b.goose.Up(t.Context())
	assert.Empty(t, results, "migrations that goose applied")
	assert.NoError(t, err)
	result, err := b.goose.Down(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(3), result.Source.Version, "goose undid %v", result)
	b.expectApplied(t, 1, 2)
	res, err := b.runner.Down(t.Context(), schema)
	require.NoError(t, err)
	if assert.Len(t, res.Undone, 1, "versions that package migrate undid") {
		assert.Equal(t, int64(2), res.Undone[0], "versions that package migrate undid")
	}
	b.expectApplied(t, 1)
	_, err = b.goose.Up(t.Context())
	require.NoError(t, err)
	b.expectApplied(t, 1, 2, 3)
	_, err = b.runner.DownTo(t.Context(), schema, 0)
	require.NoError(t, err)
	b.expectApplied(t)
	assert.Equal(t, "0", b.text(
		t,
		"select count(*)::text from pg_class where relnamespace = 'tenant_1'::regnamespace and relname in ('a', 'b', 'c')",
	), "relations are left")
}

func TestMigrateReadsVersionsOfGoose(t *testing.T) {
	t.Parallel()
	b := setup(t, three)
	_, err := b.goose.UpTo(t.Context(), 2)
	require.NoError(t, err)
	b.expectApplied(t, 1, 2)
	res, err := b.runner.Up(t.Context(), schema)
	require.NoError(t, err)
	assert.Len(t, res.Applied, 1, "result %+v", res)
	assert.Equal(t, int64(2), res.From, "result %+v", res)
	assert.Equal(t, int64(3), res.To, "result %+v", res)
	b.expectApplied(t, 1, 2, 3)
	_, err = b.goose.DownTo(t.Context(), 0)
	require.NoError(t, err)
	b.expectApplied(t)
	res, err = b.runner.Up(t.Context(), schema)
	require.NoError(t, err)
	assert.Len(t, res.Applied, 3, "result %+v", res)
	b.expectApplied(t, 1, 2, 3)
}

// shape returns what the catalogs say about the version table, its sequence and its index, without
// the names of schemas and the OIDs.
const shape = `select string_agg(line, E'\n' order by line) from (
	select format('%s %s %s %s %s %s', c.relkind, c.relname, c.relpersistence, c.relacl, c.reloptions, c.relreplident)
		as line
		from pg_class c where c.relnamespace = 'tenant_1'::regnamespace
	union all select format('%s.%s %s %s %s %s %s %s %s %s', c.relname, a.attname, a.attnum,
		format_type(a.atttypid, a.atttypmod), a.attnotnull,
			a.attidentity, a.attgenerated, a.attcollation, a.attstorage, pg_get_expr(d.adbin, d.adrelid))
		from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
			left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
		where c.relnamespace = 'tenant_1'::regnamespace
	union all select format('constraint %s %s %s', conname, contype, pg_get_constraintdef(oid)) from pg_constraint
		where connamespace = 'tenant_1'::regnamespace
	union all select replace(pg_get_indexdef(indexrelid), 'tenant_1.', '') from pg_index i
		join pg_class c on c.oid = i.indexrelid
		where c.relnamespace = 'tenant_1'::regnamespace
	union all select format('sequence %s %s %s %s %s %s %s', s.seqrelid::regclass::text, s.seqtypid::regtype,
		s.seqstart, s.seqincrement, s.seqmax, s.seqcache, s.seqcycle)
		from pg_sequence s join pg_class c on c.oid = s.seqrelid where c.relnamespace = 'tenant_1'::regnamespace
	union all select format('trigger %s', tgname) from pg_trigger t join pg_class c on c.oid = t.tgrelid
		where c.relnamespace = 'tenant_1'::regnamespace
) lines`

func TestVersionTableIsThatOfGoose(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\n")}}
	const rows = "select string_agg(format('%s %s %s', id, version_id, is_applied), ', ' order by id) " +
		"from tenant_1.goose_db_version"
	b := setup(t, files)
	require.NoError(t, b.runner.Migrate(t.Context(), schema))
	shapeOfMigrate, rowsOfMigrate := b.text(t, shape), b.text(t, rows)
	b = setup(t, files)
	_, err := b.goose.Up(t.Context())
	require.NoError(t, err)
	fromGoose := b.text(t, shape)
	assert.Equal(t, shapeOfMigrate, fromGoose, "the version table of goose")
	fromGoose = b.text(t, rows)
	assert.Equal(t, rowsOfMigrate, fromGoose, "the rows of goose's version table")
}

func TestEditedFileIsFoundAfterGoose(t *testing.T) {
	t.Parallel()
	b := setup(t, three)
	require.NoError(t, b.runner.Migrate(t.Context(), schema))
	_, err := b.goose.Down(t.Context())
	require.NoError(t, err)
	_, err = b.goose.Up(t.Context()) // nothing is known of what goose has applied
	require.NoError(t, err)
	other := fstest.MapFS{
		"00001_a.sql": {Data: []byte("-- +goose Up\ncreate table other (id int);\n")},
		"00002_b.sql": three["00002_b.sql"],
		"00003_c.sql": {Data: []byte("-- +goose Up\ncreate table other (id int);\n")},
	}
	r, err := migrate.New(b.pg.Pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: other}}})
	require.NoError(t, err)
	status, err := r.Status(t.Context(), schema)
	require.NoError(t, err)
	changed := status.Versions(migrate.Changed)
	if assert.Len(t, changed, 1) {
		assert.Equal(t, int64(1), changed[0])
	}
}
