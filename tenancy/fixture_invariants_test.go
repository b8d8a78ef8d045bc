package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// manager is another manager of the fixture's database.
func (f *fixture) manager(t *testing.T, cfg tenancy.Config) *tenancy.Manager {
	t.Helper()
	cfg.Migrator, cfg.Roles = f.migrator, f.roles
	m, err := tenancy.New(f.owner, cfg)
	require.NoError(t, err)
	return m
}

// acceptAllDomains takes everybody's word for a domain.
var acceptAllDomains = tenancy.DomainVerifierFunc(func(context.Context, tenancy.Domain) error { return nil })

// invariants are what holds of the registry and the database whatever was done to tenants, when
// nothing is under way: each query counts what breaks one.
var invariants = map[string]string{
	"tenants with domains and without exactly one primary": `select count(*) from tenants t where status not in ('stocked', 'dropping')
		and exists (select from domains d where d.tenant_id = t.id and verified_at is not null)
		and 1 <> (select count(*) from domains d where d.tenant_id = t.id and is_primary and verified_at is not null)`,
	"hosts of two tenants":         `select count(*) from (select from domains where verified_at is not null group by host having count(*) > 1) x`,
	"verified domains with tokens": `select count(*) from domains where (token = '') <> (verified_at is not null)`,
	"names that were not noted": `select count(*) from tenants t where not exists (
		select from schema_names n where n.name = t.schema_name and n.tenant_id = t.id)`,
	"operations that have not ended": `select count(*) from registry_operations`,
	"tenants whose operation is not recorded": `select count(*) from tenants where (status in ('provisioning', 'dropping')
		or status = 'stocked' and stock_version = '') and id not in (select tenant_id from registry_operations)`,
	"served tenants without their schema": `select count(*) from tenants where status not in ('stocked', 'provisioning', 'dropping')
		and to_regnamespace(quote_ident(schema_name)) is null`,
	"served tenants without their role": `select count(*) from tenants where status not in ('stocked', 'provisioning', 'dropping')
		and to_regrole(quote_ident($1 || '__' || schema_name)) is null`,
	"schemas of nobody": `select count(*) from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')
		and nspname not in (select schema_name from tenants union select schema_name from side_schemas)`,
	"roles of nobody": `select count(*) from pg_roles where starts_with(rolname, $1 || '__')
		and substr(rolname, length($1) + 3) not in (select schema_name from tenants union select schema_name from side_schemas)`,
	"advisory locks that are held": `select count(*) from pg_locks where locktype = 'advisory'
		and database = (select oid from pg_database where datname = current_database())`,
	"locks of live sessions": `select count(*) from registry_locks l join pg_stat_activity a on a.pid = l.pid and a.backend_start = l.backend_start`,
}

// expectInvariants looks at what must hold, of tenants that were made with Create.
func (f *fixture) expectInvariants(t *testing.T) {
	t.Helper()
	for broken, sql := range invariants {
		var n int
		require.NoError(
			t,
			f.pg.Pool.QueryRow(t.Context(), "select n from (select $1 = '') unused, ("+sql+") as x (n)", f.roles.Prefix()).
				Scan(&n),
		)
		assert.Equal(t, 0, n, broken)
	}
}

// failureOf returns what stopped the tenant's operation.
func failureOf(t tenancy.Tenant) string {
	if t.Operation == nil {
		return ""
	}
	return t.Operation.Failure
}

// nextSchema returns the new name of a tenant's schema in a rename that has not ended.
func nextSchema(t tenancy.Tenant) string {
	if t.Operation == nil || t.Operation.Op != tenancy.OpRename {
		return ""
	}
	return t.Operation.Schema
}
