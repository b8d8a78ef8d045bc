package goosetest_test

import (
	"testing"
	"testing/fstest"

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

func TestGooseAgreesWithWhatWeApplied(t *testing.T) {
	t.Parallel()
	b := setup(t, three)
	check(t, b.ours.Migrate(t.Context(), schema))
	b.expectApplied(t, 1, 2, 3)
	if pending, err := b.goose.HasPending(t.Context()); pending || err != nil {
		t.Errorf("pending %t, %v", pending, err)
	}
	results, err := b.goose.Up(t.Context())
	if len(results) != 0 || err != nil {
		t.Errorf("goose applied %v, %v", results, err)
	}
	result, err := b.goose.Down(t.Context())
	check(t, err)
	if result.Source.Version != 3 {
		t.Errorf("goose undid %v", result)
	}
	b.expectApplied(t, 1, 2)
	res, err := b.ours.Down(t.Context(), schema)
	check(t, err)
	if len(res.Undone) != 1 || res.Undone[0] != 2 {
		t.Errorf("we undid %v", res.Undone)
	}
	b.expectApplied(t, 1)
	_, err = b.goose.Up(t.Context())
	check(t, err)
	b.expectApplied(t, 1, 2, 3)
	_, err = b.ours.DownTo(t.Context(), schema, 0)
	check(t, err)
	b.expectApplied(t)
	if got := b.text(
		t,
		"select count(*)::text from pg_class where relnamespace = 'tenant_1'::regnamespace and relname in ('a', 'b', 'c')",
	); got != "0" {
		t.Errorf("%s relations are left", got)
	}
}

func TestWeAgreeWithWhatGooseApplied(t *testing.T) {
	t.Parallel()
	b := setup(t, three)
	_, err := b.goose.UpTo(t.Context(), 2)
	check(t, err)
	b.expectApplied(t, 1, 2)
	res, err := b.ours.Up(t.Context(), schema)
	check(t, err)
	if len(res.Applied) != 1 || res.From != 2 || res.To != 3 {
		t.Errorf("result %+v", res)
	}
	b.expectApplied(t, 1, 2, 3)
	_, err = b.goose.DownTo(t.Context(), 0)
	check(t, err)
	b.expectApplied(t)
	res, err = b.ours.Up(t.Context(), schema)
	check(t, err)
	if len(res.Applied) != 3 {
		t.Errorf("result %+v", res)
	}
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

func TestTheTableIsTheOneThatGooseMakes(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\n")}}
	const rows = "select string_agg(format('%s %s %s', id, version_id, is_applied), ', ' order by id) " +
		"from tenant_1.goose_db_version"
	b := setup(t, files)
	check(t, b.ours.Migrate(t.Context(), schema))
	shapeOfOurs, rowsOfOurs := b.text(t, shape), b.text(t, rows)
	b = setup(t, files)
	_, err := b.goose.Up(t.Context())
	check(t, err)
	if theirs := b.text(t, shape); theirs != shapeOfOurs {
		t.Errorf("goose's table:\n%s\nours:\n%s", theirs, shapeOfOurs)
	}
	if theirs := b.text(t, rows); theirs != rowsOfOurs {
		t.Errorf("goose's rows %s, ours %s", theirs, rowsOfOurs)
	}
}

func TestAnEditedFileIsNotedAcrossGoose(t *testing.T) {
	t.Parallel()
	b := setup(t, three)
	check(t, b.ours.Migrate(t.Context(), schema))
	_, err := b.goose.Down(t.Context())
	check(t, err)
	_, err = b.goose.Up(t.Context()) // nothing is known of what goose has applied
	check(t, err)
	other := fstest.MapFS{
		"00001_a.sql": {Data: []byte("-- +goose Up\ncreate table other (id int);\n")},
		"00002_b.sql": three["00002_b.sql"],
		"00003_c.sql": {Data: []byte("-- +goose Up\ncreate table other (id int);\n")},
	}
	r, err := migrate.New(b.pg.Pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: other}}})
	check(t, err)
	status, err := r.Status(t.Context(), schema)
	check(t, err)
	if changed := status.Versions(migrate.Changed); len(changed) != 1 || changed[0] != 1 {
		t.Errorf("changed %v, want 1", changed)
	}
}
