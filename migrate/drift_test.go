package migrate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// drift returns the lines of what differs, each with its schema.
func drift(t *testing.T, r *migrate.Runner, opts migrate.DriftOptions, schemas ...string) []string {
	t.Helper()
	report, err := r.Drift(t.Context(), schemas, opts)
	check(t, err)
	if report.Checked != len(schemas) || report.Equal+len(report.Results) != len(schemas) {
		t.Errorf("%d schemas: %d checked, %d equal, %d results", len(schemas), report.Checked, report.Equal, len(report.Results))
	}
	lines := []string{}
	for _, res := range report.Results {
		if res.Err != nil {
			lines = append(lines, fmt.Sprintf("%s: %s", res.Schema, res.State))
		}
		for _, d := range res.Differences {
			lines = append(lines, fmt.Sprintf("%s: %s", res.Schema, d))
		}
	}
	return lines
}

func expectLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestDriftIsFoundWhereVersionsSayAllIsWell(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runner(t, zoo)
	schemas := []string{"tenant_1", "tenant_2", "tenant_3"}
	_, err := r.UpAll(t.Context(), migrate.Schemas(schemas...), migrate.UpAllOptions{})
	check(t, err)
	expectLines(t, drift(t, r, migrate.DriftOptions{}, schemas...))

	f.exec(t, "alter table tenant_2.classes drop name")
	status, err := r.Status(t.Context(), "tenant_2")
	check(t, err)
	if len(status.Versions(migrate.Pending)) > 0 {
		t.Errorf("pending: %v", status.Versions(migrate.Pending))
	}
	expectLines(t, drift(t, r, migrate.DriftOptions{}, schemas...),
		"tenant_2: table classes: column name is missing", "tenant_2: table classes: constraint classes_name_key is missing")

	report, err := r.Drift(t.Context(), schemas, migrate.DriftOptions{})
	check(t, err)
	expectIs(t, report.Err(), migrate.ErrDrift)
	if text := report.String(); !strings.Contains(text, "tenant_2: 2 different\n  table classes: column name is missing\n") ||
		!strings.Contains(text, "2 of 3 schemas are equal") {
		t.Errorf("report:\n%s", text)
	}
	encoded, err := json.Marshal(report)
	check(t, err)
	for _, part := range []string{`"checked":3`, `"change":"missing","kind":"column","table":"classes","name":"name","want":"type: text\nnot null: yes"`} {
		if !strings.Contains(string(encoded), part) {
			t.Errorf("no %s in %s", part, encoded)
		}
	}
}

func TestDriftOfSchemasThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runner(t, basic)
	check(t, r.Migrate(t.Context(), "tenant_2"))
	got := drift(t, r, migrate.DriftOptions{FingerprintOptions: migrate.FingerprintOptions{Batch: 2}},
		"tenant_9", "tenant_2", "Tenant", "tenant_2", "pg_catalog", "", "public", "tenant_8")
	expectLines(t, got, "tenant_9: missing", "Tenant: invalid", "pg_catalog: invalid", ": invalid", "public: invalid", "tenant_8: missing")
	report, err := r.Drift(t.Context(), []string{"tenant_9", "Tenant"}, migrate.DriftOptions{})
	check(t, err)
	expectIs(t, report.Results[0].Err, migrate.ErrSchemaMissing)
	var nameErr *schemactx.NameError
	if !errors.As(report.Results[1].Err, &nameErr) {
		t.Errorf("a bad name: %v", report.Results[1].Err)
	}
	encoded, err := json.Marshal(report)
	check(t, err)
	if !strings.Contains(string(encoded), `{"schema":"tenant_9","state":"missing","error":"fingerprint schema \"tenant_9\": schema does not exist"}`) {
		t.Errorf("JSON: %s", encoded)
	}
	expectLines(t, drift(t, r, migrate.DriftOptions{}))
}

func TestDriftThatIsNoMatterIsLeftOut(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.runner(t, basic)
	check(t, r.Migrate(t.Context(), "tenant_1"))
	role := f.pg.RolePrefix + "_other"
	f.exec(t, "create role "+role+`; grant usage on schema tenant_1 to `+role+`; alter table tenant_1.notes owner to `+role+`;
		alter table tenant_1.notes drop id; alter table tenant_1.notes add id serial primary key; alter table tenant_1.notes alter id drop default; drop sequence tenant_1.notes_id_seq; create table tenant_1.own_x (id int);
		alter default privileges in schema tenant_1 grant select on tables to `+role)
	all := drift(t, r, migrate.DriftOptions{}, "tenant_1")
	if len(all) != 5 {
		t.Errorf("everything: %q", all)
	}
	expectLines(t, drift(t, r, migrate.DriftOptions{
		IgnoreGrants: true, IgnoreOwners: true, IgnoreOrder: true,
		Skip: func(o migrate.Object) bool { return strings.HasPrefix(o.Table+o.Name, "own_") },
	}, "tenant_1"))

	for s, err := range migrate.Fingerprint(t.Context(), f.pg.Pool, migrate.FingerprintOptions{}, "tenant_1") {
		check(t, err)
		expectLines(t, drift(t, r, migrate.DriftOptions{Reference: &s}, "tenant_1"))
		got := drift(t, r, migrate.DriftOptions{Reference: &s}, "tenant_2")
		if !slices.Contains(got, "tenant_2: table notes is missing") {
			t.Errorf("an empty schema and another's structure: %q", got)
		}
	}
}
