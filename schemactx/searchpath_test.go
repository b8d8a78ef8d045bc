package schemactx_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestExtraSchemasFollowTheSchemaOnTheSearchPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema string
		extra  []string
		want   string
	}{
		{"tenant_a", nil, `"tenant_a", pg_temp`},
		{"tenant_a", []string{"extensions"}, `"tenant_a", "extensions", pg_temp`},
		{"tenant_a", []string{"public", "Shared Data", `we"ird`}, `"tenant_a", "public", "Shared Data", "we""ird", pg_temp`},
		{"public", []string{"extensions", "public", "ref"}, `"public", "extensions", "ref", pg_temp`},
	} {
		got, err := schemactx.SearchPath(c.schema, c.extra)
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
	}
}

func TestInvalidExtraSearchPathIsRefused(t *testing.T) {
	t.Parallel()
	pool := openPool(t, "postgres:///nowhere", 1)
	for _, c := range []struct {
		name string
		path []string
	}{
		{"$user", []string{"extensions", "$user"}},
		{"pg_temp", []string{"pg_temp"}},
		{"pg_temp_3", []string{"pg_temp_3"}},
		{"pg_catalog", []string{"extensions", "pg_catalog"}},
		{"information_schema", []string{"information_schema"}},
		{"extensions", []string{"extensions", "public", "extensions"}},
		{"public", []string{"public", "public"}},
		{"", []string{""}},
		{"a\x00b", []string{"a\x00b"}},
		{strings.Repeat("x", 64), []string{strings.Repeat("x", 64)}},
	} {
		for _, schema := range []string{"tenant_a", "public"} {
			_, err := schemactx.SearchPath(schema, c.path)
			refused := (*schemactx.SearchPathError)(nil)
			require.ErrorAs(t, err, &refused, "%q", c.path)
			assert.Equal(t, c.name, refused.Name)
		}
		_, err := schemactx.New(pool, schemactx.Config{ExtraSearchPath: c.path})
		assert.ErrorAs(t, err, new(*schemactx.SearchPathError), "%q", c.path)
	}
}

// The server reads a search path of this package as the schemas that were given.
func TestServerParsesTheSearchPath(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, name := range []string{"extensions", "Shared Data", `we"ird`, "a,b", "$users", "ünï"} {
		quoted, err := schemactx.QuoteName(name)
		require.NoError(t, err)
		_, err = f.pg.Pool.Exec(t.Context(), "create schema "+quoted+"; grant usage on schema "+quoted+" to public")
		require.NoError(t, err)
		db := f.open(t, schemactx.Config{ExtraSearchPath: []string{name}}, 1)
		for range 2 { // the second time, the connection knows the scope
			var path []string
			require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select current_schemas(false)::text[]").Scan(&path))
			assert.Equal(t, []string{"tenant_a", name}, path)
		}
	}
}

func TestTenantWithTheNameOfAnExtraSchemaIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{ExtraSearchPath: []string{"tenant_b"}}, 1)
	_, err := db.Exec(in(t, "tenant_b"), "select 1")
	refused := (*schemactx.SearchPathError)(nil)
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "tenant_b", refused.Name)
	expectNote(t, in(t, "tenant_a"), db, "tenant_a")
}

// kindsOfExtensions creates objects that use operators and functions of extensions, which are found
// only on the path, and a table kinds with rows of the owner.
const kindsOfExtensions = `
	create table kinds (
		id int primary key, email extensions.citext not null unique, attrs extensions.hstore, path extensions.ltree,
			tags int[],
		name text, room int, during int4range
	);
	create index on kinds using gin (name extensions.gin_trgm_ops);
	create index on kinds using gin (tags extensions.gin__int_ops);
	alter table kinds add exclude using gist (room with =, during with &&);
	insert into kinds values (1, 'Ada@Example.com', 'a=>1', 'x.y', '{1,2}', 'Ada Lovelace', 1, '[1,5)');
	create view found as select id from kinds where email = 'ADA@example.com' and attrs -> 'a' = '1';
	grant select, insert on kinds, found to public`

// findsKinds are queries that each find one row with an operator or a function in another schema.
var findsKinds = map[string]string{
	"citext":     "select id from kinds where email = 'ADA@example.com'",
	"citext in":  "select id from kinds where email in ('ADA@example.com', 'b@example.com')",
	"citext any": "select id from kinds where email = any ('{ADA@example.com}')",
	"hstore":     "select id from kinds where attrs -> 'a' = '1' and attrs ? 'a'",
	"pg_trgm":    "select id from kinds where name % 'Ada Lovelac' and similarity(name, 'Ada') > 0.1",
	"ltree":      "select id from kinds where path <@ 'x'",
	"intarray":   "select id from kinds where tags @@ '1&2'::query_int",
	"unaccent":   "select id from kinds where unaccent('Àda Lovelace') = name",
	"operator":   "select id from kinds where id === 1",
	"reference":  "select id from kinds join countries c on c.code = 'it' and c.name = 'Italy'",
	"view":       "select id from found",
}

// extend creates the extensions in the schema extensions, with an operator and a table of the
// program, and fills the fixture's tenants.
func (f *fixture) extend(t *testing.T) {
	t.Helper()
	_, err := f.pg.Pool.Exec(t.Context(), `create schema extensions;
		create extension citext schema extensions; create extension hstore schema extensions;
			create extension pg_trgm schema extensions;
		create extension ltree schema extensions; create extension intarray schema extensions;
			create extension btree_gist schema extensions;
		create extension unaccent schema extensions;
		create function extensions.same(int, int) returns boolean language sql immutable as 'select $1 = $2';
		create operator extensions.=== (leftarg = int, rightarg = int, function = extensions.same);
		create table extensions.countries (code text primary key, name text);
		insert into extensions.countries values ('it', 'Italy');
		grant select on extensions.countries to public;
		grant usage on schema extensions to public`)
	require.NoError(t, err)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		path, err := schemactx.SearchPath(schema, []string{"extensions"})
		require.NoError(t, err)
		f.exec(t, "set search_path = "+path+";"+kindsOfExtensions+"; reset search_path")
	}
}
