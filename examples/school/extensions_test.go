package main

import (
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// beforeExtensionsSQL turns a database into that of an earlier release: its schools have only the
// migrations of package erp, and there are no extensions.
const beforeExtensionsSQL = `do $$
	declare s text;
	begin
		for s in select schema_name from public.tenants loop
			execute format('drop index %I.students_name_near', s);
			execute format('alter table %I.users alter column email type text', s);
			execute format('delete from %I.goose_db_version where version_id > 1000000', s);
		end loop;
	end $$;
	drop extension citext; drop extension pg_trgm; drop schema extensions`

// typeOfEmail returns the type of the column users.email of a school, with the type's schema.
func typeOfEmail(t *testing.T, pool *pgxpool.Pool) (name string) {
	t.Helper()
	require.NoError(
		t,
		pool.QueryRow(t.Context(),
			`select typnamespace::regnamespace || '.' || typname from pg_attribute join pg_type y on y.oid = atttypid
		where attrelid = 'tenant_1.users'::regclass and attname = 'email'`).
			Scan(&name),
	)
	return name
}

// Users are found by e-mail address in any case, and students by a misspelt name; also in a
// database of an earlier release.
func TestSchoolsUseExtensions(t *testing.T) {
	t.Parallel()
	p, db, dir := startIn(t)
	look := func() {
		t.Helper()
		assert.Equal(t, "extensions.citext", typeOfEmail(t, db.Pool))
		near := func(host, path string) answer { return p.ask(t, "GET", host, path, "", "Accept", "text/html") }
		near("schoola.localhost", "/students?q=okafro").expect(t, 200, "No students found", "Similar names", "Okafor")
		assert.NotContains(t, near("schoola.localhost", "/students?q=zzzzzz").expect(t, 200, "No students found").body,
			"Similar names")
		near("schoolb.localhost", "/students?q=fern%C3%A1ndes").expect(t, 200, "Similar names", "Fernández")
		for _, args := range [][]string{{"migrate", "status"}, {"drift"}, {"check"}} {
			require.NoError(t,
				run(t.Context(), append(args, "--database-url", db.URL, "--data-dir", dir), io.Discard, io.Discard), args)
		}
	}
	look()
	before := admissions(t, p.port, "schoola.localhost")
	require.NoError(t, p.stop())

	_, err := db.Pool.Exec(t.Context(), beforeExtensionsSQL)
	require.NoError(t, err)
	assert.Equal(t, "pg_catalog.text", typeOfEmail(t, db.Pool))
	p, err = start(t, "--database-url", db.URL, "--data-dir", dir)
	require.NoError(t, err)
	look()
	assert.Equal(t, before, admissions(t, p.port, "schoola.localhost"))
	require.NoError(t, p.stop())
}

// An extension that already exists in another schema is used there.
func TestSchoolsUseAnExtensionThatIsInPublic(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix() // dropped after the test
	_, err := db.Pool.Exec(t.Context(), "create extension citext")
	require.NoError(t, err)
	dir := tempDir(t)
	p, err := start(t, "--database-url", db.URL, "--data-dir", dir)
	require.NoError(t, err)
	assert.Equal(t, "public.citext", typeOfEmail(t, db.Pool))
	o := options{databaseURL: db.URL, dataDir: dir}
	found, err := openDatabase(t.Context(), o, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"public", "extensions"}, found.extra)
	q, err := openPlatform(t.Context(), found, dir, o.logger(io.Discard))
	require.NoError(t, err)
	ctx := schemactx.NewContext(t.Context(), "tenant_1")
	var email, same string
	require.NoError(t, q.db.QueryRow(ctx, "select email from users order by id limit 1").Scan(&email))
	require.NoError(t, q.db.QueryRow(ctx, "select email from users where email = $1", strings.ToUpper(email)).Scan(&same))
	assert.Equal(t, email, same)
	require.NoError(t, q.close(t.Context()))
	require.NoError(t, p.stop())
}

// Without an extension the program does not start, and the error names it.
func TestAMissingExtensionIsNamed(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := setupConfig()
	cfg.Extensions = append([]string{"no_such_extension"}, cfg.Extensions...)
	names, err := schemactx.NewRoleNames(db.RolePrefix)
	require.NoError(t, err)
	cfg.Roles = names
	err = setUp(t.Context(), db.URL, cfg)
	missing := (*admin.ExtensionError)(nil)
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "no_such_extension", missing.Name)
	assert.Contains(t, oneLine(err), `extension "no_such_extension": it is not installed on the server`)
}
