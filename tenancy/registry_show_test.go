package tenancy_test

import (
	"testing"

	"github.com/oryne/pgtenant/tenancy"
)

func TestShowIsATenantWithItsDomains(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Active)
	_, err := f.tenants.AddDomain(t.Context(), "a", "0alias.example.com")
	check(t, err)
	claim, err := f.tenants.ClaimDomain(t.Context(), "a", "claim.example.com")
	check(t, err)
	shown, err := f.tenants.Show(t.Context(), "a")
	check(t, err)
	want, err := f.tenants.Domains(t.Context(), id)
	check(t, err)
	if len(shown.Domains) != 3 {
		t.Fatalf("%+v", shown.Domains)
	}
	for i, d := range shown.Domains {
		if d.Host != want[i].Host || d.TenantID != id || d.Primary != want[i].Primary || d.Verified() != want[i].Verified() ||
			!d.CreatedAt.Equal(want[i].CreatedAt) || d.Token != want[i].Token {
			t.Errorf("shows %+v, want %+v", d, want[i])
		}
	}
	if shown.Tenant.ID != id || shown.Tenant.Slug != "a" || string(shown.Tenant.Metadata) != "{}" || shown.Domains[2].Token != claim.Token {
		t.Errorf("shows %+v", shown)
	}
	_, err = f.owner.Exec(t.Context(), "insert into schema_names values ('s', 9); insert into tenants (schema_name, slug, name, status) values ('s', 'c', 'C', 'stocked')")
	check(t, err)
	for slug, domains := range map[string]int{"a": 3, "c": 0} {
		public, err := f.registry.Show(t.Context(), slug) // with the privileges of the runtime login
		check(t, err)
		if public.Tenant.Slug != slug || len(public.Domains) != domains || public.Tenant.Metadata != nil {
			t.Errorf("the runtime login is shown %+v", public)
		}
		for _, d := range public.Domains {
			if d.Token != "" {
				t.Error("the runtime login is shown a token")
			}
		}
	}
	_, err = f.registry.Show(t.Context(), "nobody")
	expectIs(t, err, tenancy.ErrNotFound)
}
