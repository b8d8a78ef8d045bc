package tenancytest_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// The tables of an extension's schema are every tenant's: to read one is no trespass, and a tenant
// comes back without its own rows.
func TestTenantsOfTestsFindExtensions(t *testing.T) {
	t.Parallel()
	for _, level := range []schemactx.Level{schemactx.Roles, schemactx.PathOnly} {
		env, err := tenancytest.Open(t.Context(), pgtest.New(t).URL, tenancytest.Config{
			Tenant: []migrate.Source{{Name: "users", FS: fstest.MapFS{"00001_users.sql": {Data: []byte(
				"-- +goose Up\n" +
					"create table domains (name citext);\ninsert into domains values ('EXAMPLE.com');\n" +
					"create function allowed(citext) returns boolean language sql as " +
					"'select exists (select from domains where split_part($1, ''@'', 2)::citext = name)';\n" +
					"create table users (email citext unique check (allowed(email)));\n" +
					"insert into users values ('Ada@Example.com');\n",
			)}}}},
			DB:         schemactx.Config{Level: level, ExtraSearchPath: []string{"extensions"}},
			Extensions: []string{"citext"},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, env.Close(context.Background())) })
		for range 2 { // the second time the tenant comes back
			t.Run(level.String(), func(t *testing.T) {
				a, b := env.Tenant(t), env.Tenant(t)
				env.AssertIsolated(t, a, b, func(ctx context.Context, _ *tenancytest.Tenant) error {
					var n int
					err := env.DB.QueryRow(ctx, "select count(*) from users where email = 'ADA@example.com'").Scan(&n)
					assert.Equal(t, 1, n)
					_, insert := env.DB.Exec(ctx, "insert into users values ('b@example.com')")
					return errors.Join(err, insert)
				})
			})
		}
	}
}

func TestAnExtensionThatCannotBeCreatedIsAnError(t *testing.T) {
	t.Parallel()
	_, err := tenancytest.Open(
		t.Context(),
		pgtest.New(t).URL,
		tenancytest.Config{Extensions: []string{"no_such_extension"}},
	)
	assert.ErrorAs(t, err, new(*admin.ExtensionError))
}
