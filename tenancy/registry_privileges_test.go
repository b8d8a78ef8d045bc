package tenancy_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
)

// publicPrivileges lists the privileges of a role in the schema public. It reads the catalog, so
// that it covers tables of later migrations.
func publicPrivileges(t *testing.T, pg *pgtest.DB, role string) []string {
	t.Helper()
	rows, err := pg.Pool.Query(t.Context(), `select c.relname || ' ' || p from pg_class c,
			unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) p
			where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and
			(has_table_privilege($1, c.oid, p) or p in ('select', 'insert', 'update', 'references')
				and has_any_column_privilege($1, c.oid, p))
		union all select c.relname || ' ' || p from pg_class c, unnest('{usage,select,update}'::text[]) p
			where c.relnamespace = 'public'::regnamespace and c.relkind = 'S' and has_sequence_privilege($1, c.oid, p)
		union all select 'create in public' where has_schema_privilege($1, 'public', 'create')
		union all select 'definer ' || proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef
		order by 1`, role)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

func TestTenantAndRuntimeRolesHaveNoRegistryPrivileges(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	for _, role := range []string{f.roles.Runtime(), f.roles.Tenant(a.Schema)} {
		assert.Empty(t, publicPrivileges(t, f.pg, role), "privileges of %s", role)
	}
	all := publicPrivileges(t, f.pg, f.roles.Public())
	assert.Equal(t, []string{"domains select", "tenants select"}, all, "privileges of the public role")
}
