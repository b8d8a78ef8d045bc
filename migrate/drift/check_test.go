package drift_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
)

func TestDriftIsFoundInCurrentSchemas(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	r := f.Runner(t, zoo)
	schemas := []string{"tenant_1", "tenant_2", "tenant_3"}
	_, err := r.UpAll(t.Context(), migrate.Schemas(schemas...), migrate.UpAllOptions{})
	require.NoError(t, err)
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{}, schemas...))

	f.Exec(t, "alter table tenant_2.classes drop name")
	status, err := r.Status(t.Context(), "tenant_2")
	require.NoError(t, err)
	assert.Empty(t, status.Versions(migrate.Pending), "pending")
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{}, schemas...),
		"tenant_2: table classes: column name is missing", "tenant_2: table classes: constraint classes_name_key is missing")

	report, err := drift.Check(t.Context(), r, schemas, drift.Options{})
	require.NoError(t, err)
	assert.ErrorIs(t, report.Err(), drift.ErrDrift)
	text := report.String()
	assert.Contains(t, text, "tenant_2: 2 different\n  table classes: column name is missing\n", "report")
	assert.Contains(t, text, "2 of 3 schemas are equal", "report")
	encoded, err := json.Marshal(report)
	require.NoError(t, err)
	for _, part := range []string{
		`"checked":3`,
		`"change":"missing","kind":"column","table":"classes","name":"name","want":"type: text\nnot null: yes"`,
	} {
		assert.Contains(t, string(encoded), part, "no %s in %s", part, encoded)
	}
}

func TestDriftOfSchemasThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	r := f.Runner(t, migratetest.Basic)
	require.NoError(t, r.Migrate(t.Context(), "tenant_2"))
	got := migratetest.DriftLines(t, r, drift.Options{ReadOptions: drift.ReadOptions{Batch: 2}},
		"tenant_9", "tenant_2", "Tenant", "tenant_2", "pg_catalog", "", "public", "tenant_8")
	migratetest.ExpectLines(
		t,
		got,
		"tenant_9: missing",
		"Tenant: invalid",
		"pg_catalog: invalid",
		": invalid",
		"public: invalid",
		"tenant_8: missing",
	)
	report, err := drift.Check(t.Context(), r, []string{"tenant_9", "Tenant"}, drift.Options{})
	require.NoError(t, err)
	assert.ErrorIs(t, report.Results[0].Err, migrate.ErrSchemaMissing)
	var nameErr *schemactx.NameError
	assert.ErrorAs(t, report.Results[1].Err, &nameErr, "a bad name")
	encoded, err := json.Marshal(report)
	require.NoError(t, err)
	assert.Contains(t, string(encoded),
		`{"schema":"tenant_9","state":"missing","error":"fingerprint schema \"tenant_9\": schema does not exist"}`,
		"JSON")
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{}))
}

func TestIgnoredDriftIsLeftOut(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	r := f.Runner(t, migratetest.Basic)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	role := f.PG.RolePrefix + "_other"
	f.Exec(
		t,
		"create role "+role+`; grant usage on schema tenant_1 to `+role+`; alter table tenant_1.notes owner to `+role+`;
		alter table tenant_1.notes drop id; alter table tenant_1.notes add id serial primary key;
			alter table tenant_1.notes alter id drop default; drop sequence tenant_1.notes_id_seq;
			create table tenant_1.own_x (id int);
		alter default privileges in schema tenant_1 grant select on tables to `+role,
	)
	all := migratetest.DriftLines(t, r, drift.Options{}, "tenant_1")
	assert.Len(t, all, 5, "everything")
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{
		IgnoreGrants: true, IgnoreOwners: true, IgnoreOrder: true,
		Skip: func(o drift.Object) bool { return strings.HasPrefix(o.Table+o.Name, "own_") },
	}, "tenant_1"))

	for s, err := range drift.Read(t.Context(), f.PG.Pool, drift.ReadOptions{}, "tenant_1") {
		require.NoError(t, err)
		migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{Reference: &s}, "tenant_1"))
		got := migratetest.DriftLines(t, r, drift.Options{Reference: &s}, "tenant_2")
		assert.Contains(t, got, "tenant_2: table notes is missing", "an empty schema and another's structure")
	}
}
