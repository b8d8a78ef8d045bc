package tenancy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func TestSchemaNameMayNotBeARoleName(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	before := f.snapshot(t)
	for _, name := range []string{f.roles.Owner(), f.roles.Runtime(), f.roles.Public(), f.roles.Tenant(a.Schema)} {
		var nameErr *schemactx.NameError
		_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "b", Domain: "b.example.com", Schema: name})
		require.ErrorAs(t, err, &nameErr)
		_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: name})
		require.ErrorAs(t, err, &nameErr)
	}
	require.Equal(t, before, f.snapshot(t))
}
