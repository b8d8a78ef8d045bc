package admin_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestCheckDependentsSeesWhatDeprovisionRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	expectNone := func(schema string) {
		t.Helper()
		if err := admin.CheckDependents(t.Context(), f.owner, schema); err != nil {
			t.Error(err)
		}
	}
	expectNone("tenant_a")
	expectNone("tenant_nobody")
	f.exec(t, "create view tenant_b.seen as select * from tenant_a.notes")
	err := admin.CheckDependents(t.Context(), f.owner, "tenant_a")
	var dependents *admin.DependentsError
	if !errors.As(err, &dependents) || dependents.Schema != "tenant_a" || !slices.Equal(dependents.Objects, []string{"view tenant_b.seen"}) {
		t.Errorf("got %v", err)
	}
	expectNone("tenant_b") // which depends, and on which nothing does
	var nameErr *schemactx.NameError
	if err := admin.CheckDependents(t.Context(), f.owner, "public"); !errors.As(err, &nameErr) {
		t.Errorf("public: %v", err)
	}
}
