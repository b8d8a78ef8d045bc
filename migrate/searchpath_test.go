package migrate_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
)

// addresses are migrations of each kind that find an extension and a shared table through the
// search path only.
var addresses = migrate.Source{
	Name: "app",
	FS: fstest.MapFS{
		"00001_users.sql": {Data: []byte(`-- +goose Up
create table users (email citext primary key, attrs hstore, country text references countries);
insert into users values ('Ada@Example.com', 'a=>1', 'it');
-- +goose StatementBegin
do $$ begin if not exists (select from users where email = 'ADA@example.com' and attrs ? 'a')
	then raise 'not found'; end if; end $$;
-- +goose StatementEnd
-- +goose Down
drop table users;
`)},
		"00002_index.sql": {Data: []byte(`-- +goose NO TRANSACTION
-- +goose Up
create index users_near on users using gin ((email::text) gin_trgm_ops);
-- +goose Down
drop index users_near;
`)},
		"00004_more.sql": {Data: []byte(`-- +goose Up
select set_config('search_path', 'pg_catalog', true);
-- +goose Down
select 1;
`)},
		"00005_after.sql": {Data: []byte(`-- +goose Up
create view adas as select email from users where email = 'ADA@example.com';
-- +goose Down
drop view adas;
`)},
	},
	Go: []migrate.GoMigration{{
		Version: 3, Name: "more",
		Up: func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into users select 'b@example.com', attrs from users where attrs -> 'a' = '1'")
			return err
		},
		Down: func(context.Context, pgx.Tx) error { return nil },
	}},
}

func (f fixture) extend(t *testing.T) {
	t.Helper()
	f.Exec(
		t,
		`create schema "Shared Data"; create extension citext schema "Shared Data";
			create extension hstore schema "Shared Data";
		create extension pg_trgm schema "Shared Data"; create schema reference;
			create table reference.countries (code text primary key);
		insert into reference.countries values ('it')`,
	)
}

func TestMigrationsFindTheExtraSchemas(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]migrate.Lock{"advisory": migrate.LockAdvisory, "session": migrate.LockSession} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.extend(t)
			r := f.runnerWith(t, migrate.Config{
				Tenant: []migrate.Source{addresses}, ExtraSearchPath: []string{"Shared Data", "reference"}, Lock: lock,
			})
			_, err := r.Up(t.Context(), "tenant_1")
			require.NoError(t, err)
			_, err = r.UpAll(t.Context(), migrate.Schemas("tenant_1", "tenant_2", "tenant_3"), migrate.UpAllOptions{})
			require.NoError(t, err)
			var users, elsewhere int
			f.Scan(t, "select (select count(*) from tenant_3.users) + (select count(*) from tenant_3.adas)", &users)
			f.Scan(t, `select count(*) from pg_class where relname in ('users', 'adas', 'goose_db_version') and relnamespace in (
				'"Shared Data"'::regnamespace, 'reference'::regnamespace)`, &elsewhere)
			assert.Equal(t, 3, users)
			assert.Zero(t, elsewhere)
			report, err := drift.Check(t.Context(), r, []string{"tenant_1", "tenant_2", "tenant_3"}, drift.Options{})
			require.NoError(t, err)
			assert.Equal(t, 3, report.Equal)
			_, err = r.DownTo(t.Context(), "tenant_2", 0)
			require.NoError(t, err)
			_, err = r.Up(t.Context(), "tenant_2")
			require.NoError(t, err)
		})
	}
}

// TestInvalidExtraSearchPathIsRefused checks that New and Up refuse an invalid list, New
// before there is a connection.
func TestInvalidExtraSearchPathIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, extra := range [][]string{{"pg_temp"}, {"$user"}, {"a", "a"}, {""}} {
		_, err := migrate.New(f.PG.Pool, migrate.Config{ExtraSearchPath: extra})
		assert.ErrorAs(t, err, new(*schemactx.SearchPathError), "%q", extra)
	}
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{addresses}, ExtraSearchPath: []string{"tenant_2"}})
	_, err := r.Up(t.Context(), "tenant_2")
	assert.ErrorAs(t, err, new(*schemactx.SearchPathError))
	report, err := r.UpAll(t.Context(), migrate.Schemas("tenant_2"), migrate.UpAllOptions{})
	require.Error(t, err)
	require.Len(t, report.Results, 1)
	assert.ErrorAs(t, report.Results[0].Err, new(*schemactx.SearchPathError))
}
