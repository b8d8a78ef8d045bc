package main

import (
	"archive/zip"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// A clone for development has no personal data, and a subject export has only the data of its
// person.
func TestCloneIsAnonymizedAndExportHasOnePersonsData(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix()
	dir := tempDir(t)
	args := []string{"--database-url", db.URL, "--data-dir", filepath.Join(dir, "data")}
	p, err := start(t, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.stop()) }()
	command := func(words ...string) {
		t.Helper()
		require.NoError(t, run(t.Context(), append(words, args...), io.Discard, io.Discard))
	}

	command("clone", "schoola", "--to", "dev", "--anonymize")
	var schema string
	require.NoError(t,
		db.Pool.QueryRow(t.Context(), "select schema_name from public.tenants where slug = 'dev'").Scan(&schema))
	quoted, err := schemactx.QuoteName(schema)
	require.NoError(t, err)
	for what, query := range map[string]string{
		"students": "select count(*) from %.students c join tenant_1.students s using (id) " +
			"where c.last_name = s.last_name or c.admission_number = s.admission_number",
		"birthdays": "select count(*) from %.students where date_of_birth is not null",
		"parents": "select count(*) from %.parents c join tenant_1.parents p using (id) " +
			"where c.name = p.name or c.phone <> ''",
		"teachers": "select count(*) from %.teachers c join tenant_1.teachers t using (id) where c.name = t.name",
		"payments": "select count(*) from %.payments where reference <> ''",
		"users": "select count(*) from %.users c join tenant_1.users u using (id) " +
			"where c.email = u.email or c.name = u.name or c.password_hash is not null",
	} {
		var left int
		require.NoError(t, db.Pool.QueryRow(t.Context(), strings.ReplaceAll(query, "%", quoted)).Scan(&left))
		assert.Equal(t, 0, left, "%d %s of the school are in the clone", left, what)
	}
	var students int
	require.NoError(t,
		db.Pool.QueryRow(t.Context(), "select count(*) from "+quoted+".students where class_id is not null").Scan(&students))
	assert.Equal(t, 412, students, "%d students of the clone have a class, want 412", students)

	file := filepath.Join(dir, "person.zip")
	command("export", "schoola", "--subject", "A-0001", "--out", file)
	archive, err := zip.OpenReader(file)
	require.NoError(t, err)
	defer archive.Close()
	rows := make(map[string]int)
	for _, f := range archive.File {
		r, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		rows[f.Name] = strings.Count(string(content), "\n") - 1 // without the header
		assert.NotContains(t, string(content), "A-0002", "%s has data of another student", f.Name)
	}
	for name, query := range map[string]string{
		"student.csv": "select count(*) from tenant_1.students where admission_number = 'A-0001'",
		"class.csv":   "select count(*) from tenant_1.students where admission_number = 'A-0001' and class_id is not null",
		"parents.csv": "select count(*) from tenant_1.student_parents where student_id = 1",
		"fees.csv":    "select count(*) from tenant_1.fees where student_id = 1",
		"payments.csv": "select count(*) from tenant_1.payments " +
			"where fee_id in (select id from tenant_1.fees where student_id = 1)",
	} {
		var want int
		require.NoError(t, db.Pool.QueryRow(t.Context(), query).Scan(&want))
		assert.GreaterOrEqual(t, want, 1, "%s has %d rows, want %d; there are %v", name, rows[name], want, rows)
		assert.Equal(t, want, rows[name], "%s has %d rows, want %d; there are %v", name, rows[name], want, rows)
	}
}
