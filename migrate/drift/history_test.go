package drift_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate/drift"
)

func TestHistoryOfASchemaIsNoDrift(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	r := f.Runner(t, zoo)
	first := map[string]string{"00001_types.sql": zoo["00001_types.sql"]}
	require.NoError(t, f.Runner(t, first).Migrate(t.Context(), "tenant_1"))
	first["00002_tables.sql"] = zoo["00002_tables.sql"]
	require.NoError(t, f.Runner(t, first).Migrate(t.Context(), "tenant_1"))
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	f.Exec(t, "alter schema tenant_3 rename to classes; create schema tenant_10; create schema \"select\"")
	// The names are that of a table, one that begins with another name, and a keyword.
	for _, schema := range []string{"tenant_2", "classes", "tenant_10", "select"} {
		require.NoError(t, r.Migrate(t.Context(), schema))
	}
	f.Exec(
		t,
		"alter schema tenant_2 rename to students; alter function students.touch() set search_path = students, pg_temp",
	)
	f.Exec(t, `alter table students.classes add gap int, add gap_2 int; alter table students.classes drop gap_2, drop gap;
		alter table students.classes disable trigger all; alter table students.classes enable trigger all`)
	migratetest.ExpectLines(t, migratetest.DriftLines(
		t, r, drift.Options{}, "tenant_1", "students", "classes", "tenant_10", "select"))

	hashes := make(map[string]bool)
	for s, err := range drift.Read(t.Context(), f.PG.Pool, drift.ReadOptions{}, "tenant_1", "tenant_10", "select") {
		require.NoError(t, err)
		hashes[s.Hash()] = true
	}
	assert.Len(t, hashes, 1, "hashes of equal schemas")
}

// TestDriftOnPostgres18 uses what PostgreSQL 18 has added: names of NOT NULL constraints, which the
// server chooses, and constraints that are not enforced.
func TestDriftOnPostgres18(t *testing.T) {
	t.Parallel()
	if v := pgtest.Version(t); v < 18 {
		t.Skipf("the server is PostgreSQL %d", v)
	}
	f := migratetest.New(t)
	r := f.Runner(
		t,
		map[string]string{"00001_a.sql": `create table a (id int not null, twice int generated always as (id * 2) virtual,
		constraint enforced check (id > 0), constraint not_enforced check (id > 1) not enforced);`},
	)
	for _, schema := range []string{"tenant_1", "tenant_2", "tenant_3"} {
		require.NoError(t, r.Migrate(t.Context(), schema))
	}
	f.Exec(t, `alter table tenant_1.a rename constraint a_id_not_null to whatever;
		alter table tenant_2.a drop column twice; alter table tenant_2.a add twice int generated always as (id * 3) virtual;
		alter table tenant_3.a alter id drop not null; alter table tenant_3.a add not null id not valid;
		alter table tenant_3.a drop constraint not_enforced; alter table tenant_3.a add constraint not_enforced
			check (id > 1) not valid`)
	migratetest.ExpectLines(
		t,
		migratetest.DriftLines(t, r, drift.Options{}, "tenant_1", "tenant_2", "tenant_3"),
		"tenant_2: table a: column twice: generated is virtual (id * 3), expected virtual (id * 2)",
		"tenant_3: table a: constraint NOT NULL id NOT VALID is unexpected",
		"tenant_3: table a: constraint not_enforced: definition is CHECK ((id > 1)) NOT VALID, expected CHECK ((id > 1)) "+
			"NOT ENFORCED",
	)
}

func TestDriftOfARestoredCopyIsNone(t *testing.T) {
	t.Parallel()
	f := migratetest.New(t)
	version, err := exec.CommandContext(t.Context(), "pg_dump", "--version").Output()
	var major int
	if _, scanErr := fmt.Sscanf(
		string(version),
		"pg_dump (PostgreSQL) %d",
		&major,
	); err != nil || scanErr != nil ||
		major < pgtest.Version(t) {
		t.Skipf("no pg_dump for the server: %q, %v", version, err)
	}
	r := f.Runner(t, zoo)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	dump, err := exec.CommandContext(t.Context(), "pg_dump", "--schema-only", "-n", "tenant_1", f.PG.URL).Output()
	require.NoError(t, err)
	sql := regexp.MustCompile(`(?m)^\\.*$`).ReplaceAllString(string(dump), "") // commands of psql
	f.Exec(t, "alter schema tenant_1 rename to tenant_4")
	conn, err := pgx.Connect(t.Context(), f.PG.URL) // the dump changes the session
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{}, "tenant_4", "tenant_1"),
		// the rename does not change it
		`tenant_4: function touch(): settings is search_path="tenant_1", pg_temp, expected search_path={schema}, pg_temp`,
		// casts are in no schema, so pg_dump -n leaves them out
		"tenant_1: cast ({schema}.mood as integer) is missing")
}
