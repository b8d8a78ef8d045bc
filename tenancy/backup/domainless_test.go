package backup_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A tenant without a domain is restored without one, and a clone needs none.
func TestATenantWithoutADomainIsRestoredAndCloned(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "north"})
	require.NoError(t, err)
	f.exec(t, tenant.Schema, someNotes)
	want := f.content(t, "north")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "copy"})
	require.NoError(t, err)
	f.expectContent(t, "copy", want)
	f.drop(t, "north")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	f.expectContent(t, "north", want)
	for _, slug := range []string{"north", "copy"} {
		details, err := f.tenants.Show(t.Context(), slug)
		require.NoError(t, err)
		assert.Empty(t, details.Domains)
	}
	f.expectNoSides(t)
}
