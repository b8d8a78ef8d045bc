package tenancy_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

func TestSchemasReturnsSchemasToMigrate(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var _ migrate.List = f.tenants.Schemas
	var want []string
	for i, status := range []tenancy.Status{
		tenancy.Active, tenancy.Suspended, tenancy.Maintenance, tenancy.Provisioning, tenancy.Dropping,
	} {
		tenant := f.create(t, fmt.Sprintf("t%d", i))
		if status != tenancy.Provisioning && status != tenancy.Dropping {
			want = append(want, tenant.Schema)
		}
		sql := "update public.tenants set status = $1 where id = $2"
		_, err := f.pg.Pool.Exec(t.Context(), sql, string(status), tenant.ID)
		require.NoError(t, err)
	}
	// More tenants than a page has. The last one is not ready yet: it may have no schema.
	_, err := f.pg.Pool.Exec(t.Context(), `with n as (
			insert into public.schema_names (name, tenant_id)
			select 'stock_' || i, i from generate_series(10001, 11200) i returning name, tenant_id
		)
		insert into public.tenants (id, schema_name, slug, name, status, stock_version)
		select tenant_id, name, '_' || tenant_id, name, 'stocked', case when tenant_id < 11200 then 'v1' else '' end from n`)
	require.NoError(t, err)
	var got []string
	for schema, err := range f.tenants.Schemas(t.Context()) {
		require.NoError(t, err)
		got = append(got, schema)
	}
	if assert.Len(t, got, 1202) {
		assert.Equal(t, want, got[:3])
	}
	for _, err := range f.tenants.Schemas(t.Context()) {
		require.NoError(t, err)
		break
	}
}
