package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// invariants hold for the registry and the database whenever no operation is running. Each query
// counts the violations of one. $1 is the prefix of the roles.
var invariants = map[string]string{
	"tenants with domains and without exactly one primary domain": `select count(*) from tenants t
		where status not in ('stocked', 'dropping')
		and exists (select from domains d where d.tenant_id = t.id and verified_at is not null)
		and 1 <> (select count(*) from domains d where d.tenant_id = t.id and is_primary and verified_at is not null)`,
	"hosts of two tenants": `select count(*) from (
		select from domains where verified_at is not null group by host having count(*) > 1) x`,
	"verified domains with tokens": `select count(*) from domains where (token = '') <> (verified_at is not null)`,
	"schema names that are not recorded": `select count(*) from tenants t where not exists (
		select from schema_names n where n.name = t.schema_name and n.tenant_id = t.id)`,
	"unfinished operations": `select count(*) from registry_operations`,
	"tenants whose operation is not recorded": `select count(*) from tenants
		where (status in ('provisioning', 'dropping') or status = 'stocked' and stock_version = '')
		and id not in (select tenant_id from registry_operations)`,
	"served tenants without their schema": `select count(*) from tenants
		where status not in ('stocked', 'provisioning', 'dropping')
		and to_regnamespace(quote_ident(schema_name)) is null`,
	"served tenants without their role": `select count(*) from tenants
		where status not in ('stocked', 'provisioning', 'dropping')
		and to_regrole(quote_ident($1 || '__' || schema_name)) is null`,
	"schemas without a tenant": `select count(*) from pg_namespace
		where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')
		and nspname not in (select schema_name from tenants union select schema_name from side_schemas)`,
	"roles without a tenant": `select count(*) from pg_roles where starts_with(rolname, $1 || '__')
		and substr(rolname, length($1) + 3) not in (
			select schema_name from tenants union select schema_name from side_schemas)`,
	"held advisory locks": `select count(*) from pg_locks where locktype = 'advisory'
		and database = (select oid from pg_database where datname = current_database())`,
	"locks of live sessions": `select count(*) from registry_locks l
		join pg_stat_activity a on a.pid = l.pid and a.backend_start = l.backend_start`,
}

// expectInvariants checks the invariants. All tenants must have been created with Create.
func (f *fixture) expectInvariants(t *testing.T) {
	t.Helper()
	for violation, sql := range invariants {
		sql = "select n from (select $1 = '') unused, (" + sql + ") as x (n)"
		var n int
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), sql, f.roles.Prefix()).Scan(&n), violation)
		assert.Zero(t, n, violation)
	}
}
