package migrate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
)

func TestPlanIsWhatIsSent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "alter default privileges in schema tenant_1 grant select on tables to public")
	r := f.tenant(t, texts("app", both))
	plan, err := r.PlanUp(t.Context(), "tenant_1", migrate.Newest)
	check(t, err)
	var files []string
	for _, c := range plan.Migrations() {
		files = append(files, c.File+" "+c.SQL)
	}
	if want := []string{"00001_a.sql create table a (id int);", "00002_b.sql create table b (id int);", "00003_c.sql create table c (id int);"}; !slices.Equal(files, want) {
		t.Errorf("planned %q", files)
	}
	var script strings.Builder
	_, err = plan.WriteTo(&script)
	check(t, err)
	if got := f.tables(t, "tenant_1"); got != "" {
		t.Fatalf("planning made %q", got)
	}
	_, err = f.pg.Pool.Exec(t.Context(), script.String(), pgx.QueryExecModeSimpleProtocol)
	check(t, err)
	if !strings.Contains(script.String(), `revoke all on "tenant_1"."goose_db_version" from public`) {
		t.Errorf("no revoke in\n%s", script.String())
	}
	status, err := r.Status(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, status.Versions(migrate.Applied, migrate.Changed), 1, 2, 3)
	plan, err = r.PlanUp(t.Context(), "tenant_1", migrate.Newest)
	if err != nil || len(plan.Calls) != 0 {
		t.Errorf("nothing is pending, planned %+v, %v", plan, err)
	}
	plan, err = r.PlanDown(t.Context(), "tenant_1", 0)
	if err != nil || len(plan.Migrations()) != 3 || plan.Migrations()[0].SQL != "drop table c;" {
		t.Errorf("planned %+v, %v", plan, err)
	}
}
