package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestKilledDropContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	b := f.create(t, "b")
	for _, c := range []crash{
		{StepName: "mark"},
		{StepName: "mark", After: true},
		{StepName: "schema"},
		{StepName: "schema", After: true},
		{StepName: "delete"},
		{StepName: "delete", After: true},
	} {
		a := f.create(t, "a")
		f.expectUsable(t, a)
		params := request(t, m, "a")
		c.Op, c.Slug, c.Token = tenancy.OpDrop, "a", params.Token
		require.True(t, f.kill(t, c), c)

		found, err := m.BySlug(t.Context(), "a")
		if c.StepName == "delete" && c.After {
			assert.ErrorIs(t, err, tenancy.ErrNotFound)
		} else {
			require.NoError(t, err)
			assert.Equal(t, c.StepName == "mark" && !c.After, found.Status == tenancy.Active, "%s: status %s", c, found.Status)
			_, err = m.Drop(t.Context(), params)
			require.NoError(t, err)
		}
		assert.Empty(t, f.leftovers(t, a), c)
		f.expectUsable(t, b)
	}
}
