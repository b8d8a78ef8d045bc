package tenancy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// unsafeMigrator notes which way a create has migrated.
type unsafeMigrator struct {
	tenancy.NewSchemaMigrator
	asyncCommit bool
}

func (m *unsafeMigrator) MigrateNew(ctx context.Context, schema string) error {
	m.asyncCommit = true
	return m.NewSchemaMigrator.MigrateNew(ctx, schema)
}

// What was told of an id may have written it elsewhere: a crash must not take the row away again,
// and give the id to another.
func TestCreateCommitsSynchronouslyBeforeHooksRun(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, c := range map[string]struct {
		asyncCommit bool
		cfg         tenancy.Config
	}{
		"alone":  {true, tenancy.Config{}},
		"seeded": {false, tenancy.Config{Seed: func(context.Context, *tenancy.Tenant) error { return nil }}},
		"hooked": {false, tenancy.Config{Hooks: tenancy.Hooks{After: func(context.Context, tenancy.StepData) {}}}},
	} {
		migrator := &unsafeMigrator{NewSchemaMigrator: notesRunner(t, f.owner)}
		c.cfg.Migrator, c.cfg.Roles = migrator, f.roles
		m, err := tenancy.New(f.owner, c.cfg)
		require.NoError(t, err)
		_, err = m.Create(t.Context(), tenancy.CreateParams{Slug: name, Domain: name + ".example.com"})
		require.NoError(t, err)
		assert.Equal(t, c.asyncCommit, migrator.asyncCommit, "%s: commits that do not wait for the disk", name)
	}
}
