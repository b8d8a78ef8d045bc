package tenancy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// hosts returns the domains of a tenant, without ".example.com", as "primary! alias claim?".
func (f *fixture) hosts(t *testing.T, slug string) string {
	t.Helper()
	details, err := f.tenants.Show(t.Context(), slug)
	require.NoError(t, err)
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
	assert.Equal(t, want, f.hosts(t, slug), "domains of tenant %q", slug)
}

func TestDomainsAreAddedMadePrimaryAndRemoved(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	for range 2 { // the second call changes nothing
		d, err := f.tenants.AddDomain(t.Context(), "a", "Alias.EXAMPLE.com.")
		require.NoError(t, err)
		assert.Equal(t, "alias.example.com", d.Host)
		assert.True(t, d.Verified())
		assert.False(t, d.Primary)
		assert.Empty(t, d.Token)
	}
	f.expectHosts(t, "a", "a! alias")
	_, err := f.tenants.AddDomain(t.Context(), "b", "alias.example.com")
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	for range 2 {
		d, err := f.tenants.SetPrimaryDomain(t.Context(), "a", "alias.example.com")
		require.NoError(t, err)
		assert.True(t, d.Primary)
		f.expectHosts(t, "a", "alias! a")
	}
	assert.ErrorIs(t, f.tenants.RemoveDomain(t.Context(), "a", "alias.example.com"), tenancy.ErrPrimaryDomain)
	require.NoError(t, f.tenants.RemoveDomain(t.Context(), "a", "a.example.com"))
	assert.ErrorIs(t, f.tenants.RemoveDomain(t.Context(), "a", "a.example.com"), tenancy.ErrDomainNotFound)
	_, err = f.tenants.SetPrimaryDomain(t.Context(), "a", "a.example.com")
	assert.ErrorIs(t, err, tenancy.ErrDomainNotFound)
	_, err = f.tenants.SetPrimaryDomain(t.Context(), "a", "b.example.com")
	assert.ErrorIs(t, err, tenancy.ErrDomainNotFound)
	f.expectHosts(t, "a", "alias!")
	_, err = f.tenants.AddDomain(t.Context(), "b", "a.example.com") // available again
	require.NoError(t, err)
	f.expectHosts(t, "b", "b! a")
	_, err = f.tenants.AddDomain(t.Context(), "missing", "c.example.com")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestDomainOperationsRefuseInvalidHosts(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	before := f.countRows(t)
	for _, host := range []string{
		"", "*", "*.example.com", "a.*.com", "127.0.0.1", "::1", "[::1]", "0x7f.1", "1.2.3",
		"x.example.com:443", "-a.com", "a..com", "a b.com", "user@a.com", "http://a.com", "a.com/", "a_b.com",
		"a\x00.com", "a'.com", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com",
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
			assert.ErrorIs(t, err, tenancy.ErrInvalidHost)
			require.False(t, t.Failed(), "host %q, operation %d", host, i)
		}
	}
	a, err := f.tenants.ByID(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, before, f.countRows(t), "tenants, domains and schemas")
	assert.Equal(t, int64(1), a.Version)
}

func TestMoveDomain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Suspended)
	for _, host := range []string{"alias", "other"} {
		_, err := f.tenants.AddDomain(t.Context(), "a", host+".example.com")
		require.NoError(t, err)
	}
	_, err := f.tenants.ClaimDomain(t.Context(), "a", "claim.example.com")
	require.NoError(t, err)
	move := func(host, from, to, primary string) error {
		params := tenancy.MoveDomainParams{Host: host, From: from, To: to, NewPrimary: primary}
		_, err := f.tenants.MoveDomain(t.Context(), params)
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
		{"missing.example.com", "a", "b", "", tenancy.ErrDomainNotFound},
		{"alias.example.com", "b", "missing", "", tenancy.ErrNotFound},
		{"alias.example.com", "missing", "b", "", tenancy.ErrNotFound},
	} {
		assert.ErrorIs(t, move(c.host, c.from, c.to, c.primary), c.want)
	}
	expectField(t, move("alias.example.com", "a", "a", ""), "to")
	expectField(t, move("alias.example.com", "a", "b", "Alias.example.com"), "new_primary")
	f.expectHosts(t, "a", "a! alias claim? other")

	for range 2 { // the second call finds the domain moved
		require.NoError(t, move("alias.example.com", "a", "b", ""))
		f.expectHosts(t, "a", "a! claim? other")
		f.expectHosts(t, "b", "b! alias")
	}
	require.NoError(t, move("a.example.com", "a", "b", "other.example.com"))
	f.expectHosts(t, "a", "other! claim?")
	f.expectHosts(t, "b", "b! a alias")
	found, err := f.registry.ByHost(t.Context(), "a.example.com")
	require.NoError(t, err)
	assert.Equal(t, "b", found.Slug, "tenant of the moved domain")
}

func TestMoveDomainReplacesClaimOfTarget(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	_, err := f.tenants.ClaimDomain(t.Context(), "b", "alias.example.com")
	require.NoError(t, err)
	_, err = f.tenants.AddDomain(t.Context(), "a", "alias.example.com")
	require.NoError(t, err)
	d, err := f.tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{Host: "alias.example.com", From: "a", To: "b"})
	require.NoError(t, err)
	f.expectHosts(t, "b", "b! alias")
	assert.Empty(t, d.Token)
	assert.True(t, d.Verified())
}

func TestHooksReceiveDomainOperations(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var calls []string
	after := func(_ context.Context, d tenancy.StepData) {
		other := ""
		if d.Other != nil {
			other = d.Other.Slug
		}
		calls = append(calls, fmt.Sprintf("%s/%s/%s/%s/%s/%v", d.Op, d.Step, d.Tenant.Slug, d.Host, other, d.Err))
	}
	tenants := f.manager(t, tenancy.Config{Domains: acceptAllDomains, Hooks: tenancy.Hooks{After: after}})
	f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	_, err := tenants.ClaimDomain(t.Context(), "a", "X.example.com")
	require.NoError(t, err)
	_, err = tenants.VerifyDomain(t.Context(), "a", "X.example.com")
	require.NoError(t, err)
	_, err = tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{Host: "x.example.com", From: "a", To: "b"})
	require.NoError(t, err)
	_, err = tenants.AddDomain(t.Context(), "a", "b.example.com")
	assert.ErrorIs(t, err, tenancy.ErrDomainTaken)
	want := []string{
		"claim domain/domain/a/x.example.com//<nil>", "verify domain/domain/a/x.example.com//<nil>",
		"move domain/domain/a/x.example.com/b/<nil>", "add domain/domain/a/b.example.com//domain is taken",
	}
	assert.Equal(t, want, calls)
	assert.EqualError(t, err, `add domain "b.example.com" of tenant "a": domain: domain is taken`)
}
