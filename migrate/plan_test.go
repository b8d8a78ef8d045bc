package migrate_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

func TestPlannedScriptMigratesTheSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.Exec(t, "alter default privileges in schema tenant_1 grant select on tables to public")
	r := f.tenant(t, texts("app", both))
	plan, err := r.PlanUp(t.Context(), "tenant_1", migrate.Newest)
	require.NoError(t, err)
	var files []string
	for _, c := range plan.Migrations() {
		files = append(files, c.File+" "+c.SQL)
	}
	want := []string{
		"00001_a.sql create table a (id int);",
		"00002_b.sql create table b (id int);",
		"00003_c.sql create table c (id int);",
	}
	assert.Equal(t, want, files, "planned")
	var script strings.Builder
	_, err = plan.WriteTo(&script)
	require.NoError(t, err)
	require.Empty(t, f.tables(t, "tenant_1"), "planning made")
	_, err = f.PG.Pool.Exec(t.Context(), script.String(), pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	assert.Contains(t, script.String(), `revoke all on "tenant_1"."goose_db_version" from public`,
		"no revoke in\n%s", script.String())
	status, err := r.Status(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, status.Versions(migrate.Applied, migrate.Changed), 1, 2, 3)
	plan, err = r.PlanUp(t.Context(), "tenant_1", migrate.Newest)
	assert.NoError(t, err, "nothing is pending, planned %+v", plan)
	assert.Empty(t, plan.Calls, "nothing is pending, planned %+v", plan)
	plan, err = r.PlanDown(t.Context(), "tenant_1", 0)
	if assert.NoError(t, err, "planned %+v", plan) && assert.Len(t, plan.Migrations(), 3, "planned %+v", plan) {
		assert.Equal(t, "drop table c;", plan.Migrations()[0].SQL, "planned %+v", plan)
	}
}
