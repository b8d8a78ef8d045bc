package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestCheckDependentsFindsWhatDeprovisionRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	expectNone := func(schema string) {
		t.Helper()
		assert.NoError(t, admin.CheckDependents(t.Context(), f.owner, schema))
	}
	expectNone("tenant_a")
	expectNone("tenant_nobody")
	f.exec(t, "create view tenant_b.seen as select * from tenant_a.notes")
	err := admin.CheckDependents(t.Context(), f.owner, "tenant_a")
	var dependents *admin.DependentsError
	if assert.ErrorAs(t, err, &dependents) && assert.Equal(t, "tenant_a", dependents.Schema) {
		assert.Equal(t, []string{"view tenant_b.seen"}, dependents.Objects)
	}
	expectNone("tenant_b") // tenant_b depends on others, but has no dependents
	var nameErr *schemactx.NameError
	err = admin.CheckDependents(t.Context(), f.owner, "public")
	assert.ErrorAs(t, err, &nameErr, "public")
}
