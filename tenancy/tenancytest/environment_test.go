package tenancytest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// A schema with what makes it hard to put back: rows of the migrations, references to them and to
// themselves, triggers, generated columns, identities, a sequence of its own, partitions,
// inheritance, a circle.
const shop = `-- +goose Up
create table countries (code text primary key, name text not null, upper text generated always as (upper(name)) stored);
insert into countries (code, name) values ('at', 'Austria'), ('pe', 'Peru');
create table people (id bigint generated always as identity primary key, country text not null references countries,
	boss bigint references people, note text);
insert into people (country, note) values ('at', 'first');
create table orders (id bigserial primary key, person bigint not null references people on delete restrict);
create table lines (order_id bigint references orders, n int, primary key (order_id, n)) partition by range (n);
create table lines_low partition of lines for values from (0) to (100);
create table animals (name text);
create table dogs (breed text) inherits (animals);
create table hens (id int primary key, egg int);
create table eggs (id int primary key, hen int references hens);
alter table hens add foreign key (egg) references eggs;
create sequence numbers start 7;
-- +goose StatementBegin
create function mark() returns trigger language plpgsql as
	$$ begin new.note := coalesce(new.note, '') || '!'; return new; end $$;
-- +goose StatementEnd
create trigger mark before insert on people for each row execute function mark();
`

func open(t *testing.T, cfg tenancytest.Config) *tenancytest.Environment {
	t.Helper()
	cfg.Tenant = []migrate.Source{{Name: "shop", FS: fstest.MapFS{"00001_shop.sql": {Data: []byte(shop)}}}}
	env, err := tenancytest.Open(t.Context(), pgtest.New(t).URL, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, env.Close(context.Background())) })
	return env
}

// contents is all that a test could find in a tenant.
func contents(t *testing.T, env *tenancytest.Environment, tenant *tenancytest.Tenant) string {
	t.Helper()
	var all []string
	for _, sql := range []string{
		"select coalesce(string_agg(c::text, ' ' order by code), '') from countries c",
		"select coalesce(string_agg(p::text, ' ' order by id), '') from people p",
		"select concat((select count(*) from orders), (select count(*) from lines), " +
			"(select count(*) from animals), (select count(*) from hens), (select count(*) from eggs))",
		"select string_agg(concat_ws(':', sequencename, last_value), ' ' order by sequencename) from pg_sequences " +
			"where schemaname = current_schema()",
	} {
		var found string
		require.NoError(t, env.DB.QueryRow(tenant.Context(), sql).Scan(&found))
		all = append(all, found)
	}
	return strings.Join(all, "\n")
}

func TestATenantIsResetAfterATest(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{Seed: func(context.Context, *tenancy.Tenant) error { return nil }})
	var first, last string
	var id int64
	t.Run("one test", func(t *testing.T) {
		tenant := env.Tenant(t)
		id, first = tenant.ID, contents(t, env, tenant)
		for _, sql := range []string{
			"delete from countries where code = 'pe'",
			"insert into people (country, boss) values ('at', 1), ('at', 2)",
			"update people set note = 'changed' where id = 1",
			"insert into orders (person) values (2), (3)",
			"insert into lines values (1, 1), (2, 2)",
			"insert into dogs values ('Rex', 'poodle')",
			"insert into eggs values (1, null)",
			"insert into hens values (1, 1)",
			"update eggs set hen = 1",
			"select nextval('numbers'), nextval('numbers')",
		} {
			_, err := env.DB.Exec(tenant.Context(), sql)
			require.NoError(t, err)
		}
		require.NotEqual(t, first, contents(t, env, tenant), "the test has changed nothing")
	})
	t.Run("the next test", func(t *testing.T) {
		tenant := env.Tenant(t)
		last = contents(t, env, tenant)
		assert.Equal(t, id, tenant.ID, "a new tenant was made")
	})
	assert.Equal(t, first, last, "the next test finds changes of the first")
}

func TestAChangedTenantIsNotReused(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	var id int64
	t.Run("one test", func(t *testing.T) {
		tenant := env.Tenant(t)
		id = tenant.ID
		_, err := env.Owner.Exec(t.Context(), "update public.tenants set status = 'suspended' where id = $1", id)
		require.NoError(t, err)
	})
	t.Run("the next test", func(t *testing.T) {
		tenant := env.Tenant(t)
		assert.NotEqual(t, id, tenant.ID, tenant.Tenant)
		assert.Equal(t, tenancy.Active, tenant.Status, tenant.Tenant)
	})
}

func TestParallelTestsHaveDifferentTenants(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	t.Run("all", func(t *testing.T) {
		for i := range 6 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				tenant := env.Tenant(t)
				_, err := env.DB.Exec(tenant.Context(), "insert into animals values ($1)", fmt.Sprint(i))
				require.NoError(t, err)
				var found string
				require.NoError(t, env.DB.QueryRow(tenant.Context(), "select string_agg(name, ',') from animals").Scan(&found))
				assert.Equal(t, fmt.Sprint(i), found)
			})
		}
	})
}

func TestClientConnectsToTheTenantsHost(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{})
	env.Resolver = tenanthttp.ResolverFunc(func(ctx context.Context, host string) (tenanthttp.Target, error) {
		tenant, err := env.Manager.ByHost(ctx, host)
		if errors.Is(err, tenancy.ErrNotFound) {
			return tenanthttp.Target{}, tenancy.ErrUnknownHost
		}
		return tenanthttp.TenantTarget(&tenant), err
	})
	env.Handler = tenanthttp.Handler(
		env.Resolver,
		tenanthttp.Routes{Tenant: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			schema, _ := schemactx.FromContext(r.Context())
			if c, err := r.Cookie("seen"); err == nil {
				schema += " " + c.Value
			}
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "again"})
			_, _ = io.WriteString(w, schema)
		})},
	)
	tenant := env.Tenant(t)
	client := tenant.Client()
	get := func(url string) (int, string) {
		resp, err := client.Get(url)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	for _, want := range []string{tenant.Schema, tenant.Schema + " again"} {
		status, body := get(tenant.URL("/"))
		assert.Equal(t, http.StatusOK, status, "got %d %q, want %q", status, body, want)
		assert.Equal(t, want, body)
	}
	status, _ := get("http://nobody.tenants.test/")
	assert.Equal(t, http.StatusNotFound, status, "unknown host")
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	_, err := tenancytest.Open(t.Context(), "postgres://u:hunter2@%zz", tenancytest.Config{})
	if assert.Error(t, err) {
		assert.NotContains(t, err.Error(), "hunter2")
	}
	_, err = tenancytest.Open(
		t.Context(),
		"postgres://localhost",
		tenancytest.Config{DB: schemactx.Config{Level: schemactx.Logins}},
	)
	assert.Error(t, err, "level Logins was accepted")
	_, err = tenancytest.New(nil, nil, nil)
	assert.Error(t, err, "New accepted nil pools")
}

// The administrator is no superuser here, as on managed services.
func TestCloseDropsEverythingThatOpenCreates(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	admin := pg.RolePrefix + "_admin"
	_, err := pg.Pool.Exec(t.Context(), "create role "+admin+" login createdb createrole password 'a'")
	require.NoError(t, err)
	left := func() (databases int) {
		t.Helper()
		require.NoError(t, pg.Pool.QueryRow(t.Context(),
			"select count(*) from pg_database where datdba = $1::regrole", admin).Scan(&databases))
		return databases
	}
	env, err := tenancytest.Open(t.Context(), pg.URLAs(admin, "a"), tenancytest.Config{})
	require.NoError(t, err)
	assert.Equal(t, 1, left(), "open databases")
	require.NoError(t, env.Close(t.Context()))
	_, err = tenancytest.Open(t.Context(), pg.URLAs(admin, "a"), tenancytest.Config{Shared: []migrate.Source{
		{Name: "bad", FS: fstest.MapFS{"00001_bad.sql": {Data: []byte("-- +goose Up\nselect nonsense;\n")}}},
	}})
	assert.ErrorContains(t, err, "nonsense", "bad migration")
	assert.Equal(t, 0, left(), "databases are left")
}
