package backup_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// extended are migrations that name no object of an extension with its schema. Types, operators,
// operator classes and functions are found on the search path: by the migrations, by functions of
// the schema, and when rows are loaded.
var extended = migrate.Source{Name: "extended", FS: fstest.MapFS{
	"00001_users.sql": {Data: []byte(`-- +goose Up
create domain address as citext check (value <> 'NOBODY@example.com');
create function is_internal(e citext) returns boolean language sql stable as
	'select e ~ ''@EXAMPLE[.]com$'' and unaccent(e) <> ''x''';
create table users (
	id int primary key, email address unique, others citext[], attrs hstore default 'a=>1', path ltree, tags int[],
	country text references countries, room int, during int4range,
	name text, plain text generated always as (attrs -> 'a') stored,
	check (is_internal(email)), exclude using gist (room with =, during with &&)
);
create index users_name on users using gin (name gin_trgm_ops);
create index users_tags on users using gin (tags gin__int_ops);
create index users_path on users using gist (path);
create view admins as select id from users where email = 'ADA@example.com';
create materialized view of_x as select id, attrs -> 'a' as a from users where path <@ 'x' and name % 'Ada Lovelac';
insert into users (id, email, others, path, tags, country, room, during, name)
	values (1, 'Ada@Example.com', '{a,B}', 'x.y', '{1,2}', 'it', 1, '[1,5)', 'Ada Lovelace');
refresh materialized view of_x;
-- +goose Down
drop materialized view of_x;
drop view admins;
drop table users;
drop function is_internal;
drop domain address;
`)},
	"00002_more.sql": {Data: []byte(`-- +goose Up
create table more (a citext);
insert into more select 'x' from users where email = 'ADA@EXAMPLE.COM' and attrs ? 'a' and tags @@ '1&2'::query_int;
-- +goose Down
drop table more;
`)},
}}

// indexedByFunction has an index whose function finds other functions on the search path, when rows
// are written and when they are analysed.
var indexedByFunction = migrate.Source{
	Name: "indexedByFunction", Base: 1000,
	FS: fstest.MapFS{"00001_index.sql": {Data: []byte(`-- +goose Up
create function plain(text) returns text language sql immutable as 'select unaccent($1)';
create function plainer(text) returns text language plpgsql immutable as
	'begin return plain($1) || coalesce(hstore($1, $1) -> $1, $1); end';
create index users_plainer on users (plainer(name));
-- +goose Down
drop index users_plainer;
drop function plainer;
drop function plain;
`)}},
}

// findsExtended are queries that find one row each.
var findsExtended = []string{
	"select id from admins",
	"select id from of_x where a = '1'",
	"select id from users where email = 'aDA@example.com' and 'b' = any (others)",
	"select id from users where attrs -> 'a' = '1' and plain = '1'",
	"select id from users where path <@ 'x' and name % 'Ada Lovelac' and tags && '{2}'",
	"select u.id from users u join countries c on c.code = country",
	"select 1 from more where a = 'X'",
}

// setupExtended is setup with extensions in the named schema, which is on the search path.
func setupExtended(t *testing.T, schema string) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t), extra: []string{schema}}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	report, err := admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{
		Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r", ExtraSearchPath: f.extra, ExtensionSchema: schema,
		Extensions: []string{"citext", "hstore", "pg_trgm", "ltree", "intarray", "btree_gist", "unaccent"},
	})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	quoted, err := schemactx.QuoteName(schema, "countries")
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), "create table "+quoted+" (code text primary key); insert into "+quoted+
		" values ('it');"+
		"grant select on "+quoted+" to public; grant references on "+quoted+" to "+f.roles.Owner())
	require.NoError(t, err)
	f.owner, err = pgxpool.New(context.Background(), f.pg.URLAs(f.roles.Owner(), "o"))
	require.NoError(t, err)
	t.Cleanup(f.owner.Close)
	f.connect(t, extended)
	require.NoError(t, f.tenants.Init(t.Context()))
	f.dir, err = backup.OpenDir(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.dir.Close()) })
	return f
}

// A tenant whose migrations, functions and constraints find extensions on the search path passes
// all operations on a tenant.
func TestTenantsUseExtensionsOnTheSearchPath(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"extensions", "public", "Shared Data"} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			liveExtended(t, setupExtended(t, schema))
		})
	}
}

func liveExtended(t *testing.T, f *fixture) {
	if pgtest.Version(t) < 17 { // from 17 on, an index function finds only pg_catalog on its path
		f.connect(t, extended, indexedByFunction)
	}
	s := f.service(t, backup.Config{})
	a := f.create(t, "a")
	f.create(t, "b")
	f.expectExtended(t, "a", "b")

	f.exec(t, a.Schema, "insert into users (id, email, room, during) values (2, 'b@example.com', 1, '[7,8)')")
	info, err := s.Backup(t.Context(), "a", backup.BackupOptions{})
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	want := f.content(t, "a")
	f.exec(t, a.Schema, "delete from users where id = 2")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "a"})
	require.NoError(t, err)
	f.expectContent(t, "a", want)
	f.drop(t, "a")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	f.expectContent(t, "a", want)
	_, err = s.Clone(t.Context(), "a", backup.CloneOptions{Slug: "copy", Domain: "copy.example.com"})
	require.NoError(t, err)
	f.expectContent(t, "copy", want)
	f.expectExtended(t, "a", "b", "copy")
	f.expectNoSides(t)

	f.move(t, "b", "bb", "beta")
	f.expectExtended(t, "bb")
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "c", Domain: "c.example.com", Schema: "c"})
	require.NoError(t, err)
	_, err = f.runner.DownTo(t.Context(), "c", 0)
	require.NoError(t, err)
	_, err = f.runner.Up(t.Context(), "c")
	require.NoError(t, err)
	f.expectExtended(t, "c")
	f.expectSameOnEachPath(t, "c")
	f.drop(t, "c")
}

// expectSameOnEachPath reads a structure in sessions with and without the extensions on their
// search path. PostgreSQL omits the schema of an object that the session finds without it.
func (f *fixture) expectSameOnEachPath(t *testing.T, schema string) {
	t.Helper()
	want := f.structure(t, schema)
	for _, at := range []string{schema, schemactx.Public} {
		path, err := schemactx.SearchPath(at, f.extra)
		require.NoError(t, err)
		cfg := f.owner.Config()
		cfg.ConnConfig.RuntimeParams["search_path"] = path
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		for s, err := range drift.Read(t.Context(), pool, drift.ReadOptions{Roles: f.roles}, schema) {
			assert.NoError(t, err)
			assert.Equal(t, want, s.Hash(), path)
		}
		pool.Close()
	}
}

// expectExtended checks for drift, and runs findsExtended as each tenant.
func (f *fixture) expectExtended(t *testing.T, slugs ...string) {
	t.Helper()
	db, err := schemactx.New(f.runtime(t), schemactx.Config{Roles: f.roles, ExtraSearchPath: f.extra})
	require.NoError(t, err)
	for _, slug := range slugs {
		shown, err := f.tenants.Show(t.Context(), slug)
		require.NoError(t, err)
		tenant := shown.Tenant
		status, err := f.runner.Status(t.Context(), tenant.Schema)
		require.NoError(t, err)
		assert.Equal(t, migrate.Current, status.Outcome, slug)
		report, err := drift.Check(t.Context(), f.runner, []string{tenant.Schema},
			drift.Options{ReadOptions: drift.ReadOptions{Roles: f.roles}})
		require.NoError(t, err)
		for _, result := range report.Results {
			assert.Equal(t, drift.Equal, result.State, "%s: %v", slug, result.Differences)
		}
		ctx := schemactx.NewContext(t.Context(), tenant.Schema)
		for _, sql := range findsExtended {
			var id int
			assert.NoError(t, db.QueryRow(ctx, sql).Scan(&id), "%s: %s", slug, sql)
		}
	}
}

// If a schema of the search path is missing, no migration creates anything, and no reference is
// built.
func TestAMissingSchemaOfTheSearchPathIsReported(t *testing.T) {
	t.Parallel()
	f := setupExtended(t, "extensions")
	f.create(t, "a")
	f.extra = []string{"extensions", "reference"}
	f.connect(t, extended)
	missing := func(err error) {
		t.Helper()
		var refused *schemactx.SearchPathError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, "reference", refused.Name)
	}
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "b", Domain: "b.example.com"})
	missing(err)
	_, err = f.runner.UpAll(t.Context(), migrate.Schemas("tenant_1"), migrate.UpAllOptions{})
	missing(err)
	_, err = drift.Reference(t.Context(), f.runner, drift.ReadOptions{Roles: f.roles})
	missing(err)
	_, err = f.runner.Up(t.Context(), schemactx.Public) // this run may create the schema
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), "create schema reference")
	require.NoError(t, err)
	_, err = f.tenants.Resume(t.Context(), "b")
	require.NoError(t, err)
}

// A tenant cannot get a schema that is on every tenant's search path, whichever role owns it.
func TestATenantCannotUseASchemaOfTheSearchPath(t *testing.T) {
	t.Parallel()
	f := setupExtended(t, "extensions")
	f.create(t, "a")
	before := f.everything(t)
	refused := new(*schemactx.SearchPathError)
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "b", Domain: "b.example.com", Schema: "extensions"})
	require.ErrorAs(t, err, refused)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "extensions"})
	require.ErrorAs(t, err, refused)
	_, err = f.runner.Up(t.Context(), "extensions")
	require.ErrorAs(t, err, refused)
	assert.Equal(t, before, f.everything(t))
}
