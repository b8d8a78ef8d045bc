package tenancy_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestManagersOnOneSmallPoolDoNotDeadlock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := f.smallPool(t, 2)
	var managers []*tenancy.Manager
	for range 3 {
		m, err := tenancy.New(pool, tenancy.Config{Migrator: notesRunner(t, pool), Roles: f.roles})
		require.NoError(t, err)
		managers = append(managers, m)
	}
	ctx := timeoutContext(t)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			m, slug := managers[i%len(managers)], fmt.Sprintf("s%d", i)
			_, err := m.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
			if err == nil {
				_, err = m.Rename(ctx, slug, tenancy.RenameParams{Schema: slug})
			}
			if err == nil {
				_, err = m.Suspend(ctx, slug, "")
			}
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	expectIdle(t, pool)
	f.expectInvariants(t)
}
