package tenancy_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// insertNote inserts a note in the tenant's schema, with the runtime login.
func (f *fixture) insertNote(t *testing.T, tenant tenancy.Tenant, body string) {
	t.Helper()
	_, err := f.db.Exec(tenancy.NewContext(t.Context(), &tenant), "insert into notes values ($1)", body)
	require.NoError(t, err)
}

// readNote returns one note of the tenant, with the runtime login.
func (f *fixture) readNote(ctx context.Context, tenant tenancy.Tenant) (body string, err error) {
	err = f.db.QueryRow(tenancy.NewContext(ctx, &tenant), "select body from notes").Scan(&body)
	return body, err
}

func (f *fixture) expectNote(t *testing.T, tenant tenancy.Tenant, want string) {
	t.Helper()
	got, err := f.readNote(t.Context(), tenant)
	require.NoError(t, err)
	assert.Equal(t, want, got, "note of tenant %s", tenant.Slug)
}

// tenantNotes returns all notes of the tenant, with the runtime login.
func (f *fixture) tenantNotes(t testing.TB, tenant tenancy.Tenant) []string {
	t.Helper()
	rows, err := f.db.Query(tenancy.NewContext(t.Context(), &tenant), "select body from notes order by 1")
	require.NoError(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return notes
}

// schemaNotes returns all notes of a schema, with the owner role.
func (f *fixture) schemaNotes(t testing.TB, schema string) []string {
	t.Helper()
	rows, err := f.owner.Query(t.Context(), "select body from "+pgx.Identifier{schema, "notes"}.Sanitize()+" order by 1")
	require.NoError(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return notes
}

// expectUsable inserts a note with the tenant's slug, and expects that all notes of the tenant are
// such notes.
func (f *fixture) expectUsable(t testing.TB, tenant tenancy.Tenant) {
	t.Helper()
	ctx := tenancy.NewContext(t.Context(), &tenant)
	_, err := f.db.Exec(ctx, "insert into notes values ($1)", tenant.Slug)
	require.NoError(t, err)
	rows, err := f.db.Query(ctx, "select distinct body from notes")
	require.NoError(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Equal(t, []string{tenant.Slug}, notes, "notes of tenant %q", tenant.Slug)
}
