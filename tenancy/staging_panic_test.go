package tenancy_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// The caller closes a Staging in a deferred call, also if a hook has panicked after the step that
// has made the schema a tenant's.
func TestCloseAfterPanicKeepsTheTenantsSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, end := range map[string]func(){"panic": func() { panic("after") }, "goexit": runtime.Goexit} {
		after := func(step string) *tenancy.Manager {
			return f.manager(t, tenancy.Config{Hooks: tenancy.Hooks{
				After: func(_ context.Context, d tenancy.StepData) {
					if d.Step == step {
						end()
					}
				},
			}})
		}
		run := func(s *tenancy.Staging, call func(context.Context) (tenancy.Tenant, error)) {
			ended := make(chan error, 1)
			go func() {
				defer func() { ended <- s.Close(t.Context()) }()
				defer func() { _ = recover() }()
				_, _ = call(t.Context())
			}()
			assert.NoError(t, <-ended)
		}

		adopted := "adopted-" + name
		s, err := after("insert").StageTenant(t.Context(), tenancy.AdoptParams{Slug: adopted})
		require.NoError(t, err)
		f.fillStaging(t, s, "new")
		run(s, s.Adopt)
		f.expectServed(t, adopted, "new")

		replaced := "replaced-" + name
		f.insertNote(t, f.create(t, replaced), "old")
		s, err = after("switch").StageReplacement(t.Context(), replaced)
		require.NoError(t, err)
		f.fillStaging(t, s, "new")
		run(s, s.Replace)
		_, err = f.tenants.Resume(t.Context(), replaced)
		require.NoError(t, err)
		f.expectServed(t, replaced, "new", "old")
	}
	f.expectInvariants(t)
}
