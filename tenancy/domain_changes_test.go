package tenancy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/tenancy"
)

// hosts returns the domains of a tenant as "primary! alias claim?".
func (f *fixture) hosts(t *testing.T, slug string) string {
	t.Helper()
	details, err := f.tenants.Show(t.Context(), slug)
	check(t, err)
	var hosts []string
	for _, d := range details.Domains {
		mark := ""
		switch {
		case d.Primary:
			mark = "!"
		case !d.Verified():
			mark = "?"
		}
		hosts = append(hosts, strings.TrimSuffix(d.Host, ".example.com")+mark)
	}
	return strings.Join(hosts, " ")
}

func (f *fixture) expectHosts(t *testing.T, slug, want string) {
	t.Helper()
	if got := f.hosts(t, slug); got != want {
		t.Errorf("%s has %s, want %s", slug, got, want)
	}
}

func TestDomainsAreAddedPreferredAndRemoved(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Active)
	for range 2 { // the second call finds nothing to do
		d, err := f.tenants.AddDomain(t.Context(), "a", "Alias.EXAMPLE.com.")
		check(t, err)
		if d.Host != "alias.example.com" || !d.Verified() || d.Primary || d.Token != "" {
			t.Errorf("added %+v", d)
		}
	}
	f.expectHosts(t, "a", "a! alias")
	_, err := f.tenants.AddDomain(t.Context(), "b", "alias.example.com")
	expectIs(t, err, tenancy.ErrDomainTaken)
	for range 2 {
		d, err := f.tenants.SetPrimaryDomain(t.Context(), "a", "alias.example.com")
		check(t, err)
		if !d.Primary {
			t.Errorf("preferred %+v", d)
		}
		f.expectHosts(t, "a", "alias! a")
	}
	expectIs(t, f.tenants.RemoveDomain(t.Context(), "a", "alias.example.com"), tenancy.ErrPrimaryDomain)
	check(t, f.tenants.RemoveDomain(t.Context(), "a", "a.example.com"))
	expectIs(t, f.tenants.RemoveDomain(t.Context(), "a", "a.example.com"), tenancy.ErrDomainNotFound)
	_, err = f.tenants.SetPrimaryDomain(t.Context(), "a", "a.example.com")
	expectIs(t, err, tenancy.ErrDomainNotFound)
	_, err = f.tenants.SetPrimaryDomain(t.Context(), "a", "b.example.com")
	expectIs(t, err, tenancy.ErrDomainNotFound)
	f.expectHosts(t, "a", "alias!")
	_, err = f.tenants.AddDomain(t.Context(), "b", "a.example.com") // available again
	check(t, err)
	f.expectHosts(t, "b", "b! a")
	_, err = f.tenants.AddDomain(t.Context(), "nobody", "c.example.com")
	expectIs(t, err, tenancy.ErrNotFound)
}

func TestNoOperationTakesWhatIsNoDomain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Active)
	before := f.rows(t)
	for _, host := range []string{
		"", "*", "*.example.com", "a.*.com", "127.0.0.1", "::1", "[::1]", "0x7f.1", "1.2.3", "x.example.com:443", "-a.com", "a..com", "a b.com",
		"user@a.com", "http://a.com", "a.com/", "a_b.com", "a\x00.com", "a'.com", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com",
	} {
		ops := []func() (tenancy.Domain, error){
			func() (tenancy.Domain, error) { return f.tenants.AddDomain(t.Context(), "a", host) },
			func() (tenancy.Domain, error) { return f.tenants.ClaimDomain(t.Context(), "a", host) },
			func() (tenancy.Domain, error) { return f.tenants.VerifyDomain(t.Context(), "a", host) },
			func() (tenancy.Domain, error) { return f.tenants.SetPrimaryDomain(t.Context(), "a", host) },
			func() (tenancy.Domain, error) {
				return tenancy.Domain{}, f.tenants.RemoveDomain(t.Context(), "a", host)
			},
			func() (tenancy.Domain, error) {
				return f.tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{Host: host, From: "a", To: "b"})
			},
		}
		for i, op := range ops {
			_, err := op()
			expectField(t, err, "domain")
			expectIs(t, err, tenancy.ErrInvalidHost)
			if t.Failed() {
				t.Fatalf("host %q, operation %d", host, i)
			}
		}
	}
	a, err := f.tenants.ByID(t.Context(), id)
	check(t, err)
	if f.rows(t) != before || a.Version != 1 {
		t.Error("a refused domain has changed something")
	}
}

func TestDomainMovesAsAWhole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Suspended)
	for _, host := range []string{"alias", "other"} {
		_, err := f.tenants.AddDomain(t.Context(), "a", host+".example.com")
		check(t, err)
	}
	_, err := f.tenants.ClaimDomain(t.Context(), "a", "claim.example.com")
	check(t, err)
	move := func(host, from, to, primary string) error {
		_, err := f.tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{Host: host, From: from, To: to, NewPrimary: primary})
		return err
	}
	for _, c := range []struct {
		host, from, to, primary string
		want                    error
	}{
		{"a.example.com", "a", "b", "", tenancy.ErrPrimaryDomain},
		{"a.example.com", "a", "b", "claim.example.com", tenancy.ErrNotVerified},
		{"a.example.com", "a", "b", "b.example.com", tenancy.ErrDomainNotFound},
		{"claim.example.com", "a", "b", "", tenancy.ErrNotVerified},
		{"nobody.example.com", "a", "b", "", tenancy.ErrDomainNotFound},
		{"alias.example.com", "b", "nobody", "", tenancy.ErrNotFound},
		{"alias.example.com", "nobody", "b", "", tenancy.ErrNotFound},
	} {
		expectIs(t, move(c.host, c.from, c.to, c.primary), c.want)
	}
	expectField(t, move("alias.example.com", "a", "a", ""), "to")
	expectField(t, move("alias.example.com", "a", "b", "Alias.example.com"), "newprimary")
	f.expectHosts(t, "a", "a! alias claim? other")

	for range 2 { // the second call finds it already there
		check(t, move("alias.example.com", "a", "b", ""))
		f.expectHosts(t, "a", "a! claim? other")
		f.expectHosts(t, "b", "b! alias")
	}
	check(t, move("a.example.com", "a", "b", "other.example.com"))
	f.expectHosts(t, "a", "other! claim?")
	f.expectHosts(t, "b", "b! a alias")
	found, err := f.registry.ByHost(t.Context(), "a.example.com")
	check(t, err)
	if found.Slug != "b" {
		t.Errorf("the host leads to %q", found.Slug)
	}
}

func TestAMoveSettlesTheClaimOfWhoGetsTheDomain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Active)
	_, err := f.tenants.ClaimDomain(t.Context(), "b", "alias.example.com")
	check(t, err)
	_, err = f.tenants.AddDomain(t.Context(), "a", "alias.example.com")
	check(t, err)
	d, err := f.tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{Host: "alias.example.com", From: "a", To: "b"})
	check(t, err)
	f.expectHosts(t, "b", "b! alias")
	if d.Token != "" || !d.Verified() {
		t.Errorf("moved %+v", d)
	}
}

func TestHooksAreToldOfDomains(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var told []string
	tenants := f.manager(t, tenancy.Config{Domains: believing, Hooks: tenancy.Hooks{After: func(_ context.Context, d tenancy.StepData) {
		other := ""
		if d.Other != nil {
			other = d.Other.Slug
		}
		told = append(told, fmt.Sprintf("%s/%s/%s/%s/%s/%v", d.Op, d.Step, d.Tenant.Slug, d.Host, other, d.Err))
	}}})
	f.row(t, "a", tenancy.Active)
	f.row(t, "b", tenancy.Active)
	_, err := tenants.ClaimDomain(t.Context(), "a", "X.example.com")
	check(t, err)
	_, err = tenants.VerifyDomain(t.Context(), "a", "X.example.com")
	check(t, err)
	_, err = tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{Host: "x.example.com", From: "a", To: "b"})
	check(t, err)
	_, err = tenants.AddDomain(t.Context(), "a", "b.example.com")
	expectIs(t, err, tenancy.ErrDomainTaken)
	if want := []string{
		"claim domain/domain/a/x.example.com//<nil>", "verify domain/domain/a/x.example.com//<nil>",
		"move domain/domain/a/x.example.com/b/<nil>", "add domain/domain/a/b.example.com//domain is taken",
	}; !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
	if want := `add domain "b.example.com" of tenant "a": domain: domain is taken`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
