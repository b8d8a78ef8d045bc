package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// recordingMigrator records whether Create has called MigrateNew, which commits asynchronously.
type recordingMigrator struct {
	tenancy.NewSchemaMigrator
	asyncCommit bool
}

func (m *recordingMigrator) MigrateNew(ctx context.Context, schema string) error {
	m.asyncCommit = true
	return m.NewSchemaMigrator.MigrateNew(ctx, schema)
}

// A seed or a hook may store the tenant's id elsewhere. Then a crash must not lose the row, because
// another tenant would get the id.
func TestCreateCommitsSynchronouslyBeforeHooksRun(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, c := range map[string]struct {
		asyncCommit bool
		cfg         tenancy.Config
	}{
		"plain":  {true, tenancy.Config{}},
		"seeded": {false, tenancy.Config{Seed: func(context.Context, *tenancy.Tenant) error { return nil }}},
		"hooked": {false, tenancy.Config{Hooks: tenancy.Hooks{After: func(context.Context, tenancy.StepData) {}}}},
	} {
		migrator := &recordingMigrator{NewSchemaMigrator: notesRunner(t, f.owner)}
		c.cfg.Migrator, c.cfg.Roles = migrator, f.roles
		m, err := tenancy.New(f.owner, c.cfg)
		require.NoError(t, err)
		_, err = m.Create(t.Context(), tenancy.CreateParams{Slug: name, Domain: name + ".example.com"})
		require.NoError(t, err)
		assert.Equal(t, c.asyncCommit, migrator.asyncCommit, "%s: asynchronous commits", name)
	}
}
