package tenancy_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// migrateAndInsertNote migrates a staged schema and inserts one note.
func migrateAndInsertNote(ctx context.Context, m tenancy.Migrator, owner admin.Beginner, schema, body string) error {
	if err := m.Migrate(ctx, schema); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into "+pgx.Identifier{schema, "notes"}.Sanitize()+" values ($1)", body)
		return err
	})
}

// fillStaging migrates a staged schema and inserts one note.
func (f *fixture) fillStaging(t testing.TB, s *tenancy.Staging, body string) {
	t.Helper()
	require.NoError(t, migrateAndInsertNote(t.Context(), f.migrator, f.owner, s.Schema(), body))
}

// stageReplacement stages a schema with one note for a tenant.
func (f *fixture) stageReplacement(t testing.TB, slug, body string) *tenancy.Staging {
	t.Helper()
	s, err := f.tenants.StageReplacement(t.Context(), slug)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.WithoutCancel(t.Context()))) })
	f.fillStaging(t, s, body)
	return s
}

// replace replaces the tenant's schema by one with the note "new".
func (f *fixture) replace(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	s := f.stageReplacement(t, slug, "new")
	replaced, err := s.Replace(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	return replaced
}

// createReplaced creates a tenant with the note "new", whose retained schema has the note "old".
func (f *fixture) createReplaced(t *testing.T, slug string) {
	t.Helper()
	f.insertNote(t, f.create(t, slug), "old")
	f.replace(t, slug)
}

// auxiliarySchemas lists the staged and retained schemas.
func (f *fixture) auxiliarySchemas(t testing.TB) (states []string) {
	t.Helper()
	all, err := f.tenants.AuxiliarySchemas(t.Context())
	require.NoError(t, err)
	for _, s := range all {
		states = append(states, fmt.Sprintf("%s retained: %t", s.Schema, s.Retained))
	}
	return states
}

// expectServed expects an active tenant with one note, and the notes of its retained schema.
// Without retained notes it expects that there is no retained schema.
func (f *fixture) expectServed(t *testing.T, slug, note string, retained ...string) {
	t.Helper()
	got, err := f.tenants.BySlug(t.Context(), slug)
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, got.Status, "status of tenant %q", slug)
	assert.Equal(t, []string{note}, f.tenantNotes(t, got), "notes of tenant %q", slug)
	schema, err := f.tenants.RetainedSchema(t.Context(), slug)
	if len(retained) == 0 {
		assert.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	} else if assert.NoError(t, err) {
		assert.Equal(t, retained, f.schemaNotes(t, schema.Schema), "notes of the retained schema of tenant %q", slug)
	}
}

// approveAndConfirm requests to drop the retained schema, approves the request as another person
// and confirms the replacement.
func approveAndConfirm(ctx context.Context, m *tenancy.Manager, slug, schema string) (tenancy.Tenant, error) {
	r, err := m.RequestConfirm(ctx, slug, schema, actor)
	if err == nil {
		_, err = m.ApproveDrop(ctx, r.ID, "bob@example.com")
	}
	if err != nil {
		return tenancy.Tenant{}, err
	}
	return m.ConfirmReplacement(ctx, tenancy.DropParams{Slug: slug, Token: r.Token, Actor: actor}, schema)
}

// confirmReplacement drops the retained schema of a tenant.
func (f *fixture) confirmReplacement(ctx context.Context, t *testing.T, slug string) {
	t.Helper()
	retained, err := f.tenants.RetainedSchema(ctx, slug)
	require.NoError(t, err)
	_, err = approveAndConfirm(ctx, f.fourEyesManager(t), slug, retained.Schema)
	require.NoError(t, err)
}
