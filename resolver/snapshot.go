package resolver

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/oryne/pgtenant/tenancy"
)

// snapshot is the registry as it was. Readers share it, so it is never changed: a change makes another one.
//
// One table holds every host that leads somewhere, those under base domains too, so that a hit is one lookup. Shards, which
// would make a change cheaper than a copy of all, cost each lookup a second hash and more memory to wait for.
type snapshot struct {
	hosts   *table
	slugs   *table          // claims by slug alone
	tenants []tenancy.Route // by id
}

// claim is who a host leads to: the tenant that has it as a verified domain, and the tenant that has it by its slug.
// They may be one and the same, and either may be nil.
type claim struct{ domain, slug *tenancy.Tenant }

// publicSite is the domain of public hosts' claims. It stands for itself and is never given out.
var publicSite = &tenancy.Tenant{}

// ambiguous reports whether two tenants have the host.
func (c claim) ambiguous() bool { return c.domain != nil && c.slug != nil && c.domain != c.slug }

// target returns what the host stands for.
func (c claim) target(host string) (tenancy.Target, error) {
	t := c.domain
	if t == nil {
		t = c.slug
	}
	switch {
	case t == publicSite:
		return tenancy.PublicTarget(), nil
	case c.ambiguous():
		return tenancy.Target{}, fmt.Errorf("%w: %q", ErrAmbiguous, host)
	}
	return tenancy.TenantTarget(t), nil
}

// newSnapshot returns one without tenants, with room for so many and their hosts.
func newSnapshot(p policy, tenants, hosts int) *snapshot {
	s := &snapshot{
		hosts:   newTable(hosts),
		slugs:   newTable(tenants),
		tenants: make([]tenancy.Route, 0, tenants),
	}
	for _, host := range p.public {
		s.hosts.put(host, claim{domain: publicSite})
	}
	return s
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{hosts: s.hosts.clone(), slugs: s.slugs.clone(), tenants: slices.Clone(s.tenants)}
}

// find returns where the tenant of that id is, or would be.
func (s *snapshot) find(id int64) (int, bool) {
	if n := len(s.tenants); n == 0 || s.tenants[n-1].Tenant.ID < id {
		return n, false // as always while all are read, which come in their order
	}
	return slices.BinarySearchFunc(s.tenants, id, func(r tenancy.Route, id int64) int { return cmp.Compare(r.Tenant.ID, id) })
}

// bySlug returns the tenant of that slug, or nil.
func (s *snapshot) bySlug(slug string) *tenancy.Tenant {
	c, _ := s.slugs.get(slug)
	return c.slug
}

// same reports whether the tenant is in the snapshot as route has it, and nobody has taken a host from it since.
func (s *snapshot) same(route tenancy.Route) bool {
	i, ok := s.find(route.Tenant.ID)
	if !ok {
		return false
	}
	known := s.tenants[i]
	if known.Tenant.Version != route.Tenant.Version || !slices.Equal(known.Hosts, route.Hosts) {
		return false
	}
	for _, host := range known.Hosts {
		if c, _ := s.hosts.get(host); c.domain != known.Tenant && c.domain != publicSite && normal(host) {
			return false
		}
	}
	return s.bySlug(known.Tenant.Slug) == known.Tenant
}

// add puts in a tenant that is not there, and calls disputed with each host that somebody else has as well. The registry allows one
// tenant at a time to have a domain or a slug: what is added has been read last, and takes it from whom had it.
func (s *snapshot) add(p policy, route tenancy.Route, disputed func(host string)) {
	t := route.Tenant
	i, _ := s.find(t.ID)
	s.tenants = slices.Insert(s.tenants, i, route)
	s.slugs.put(t.Slug, claim{slug: t})
	for _, host := range route.Hosts {
		if normal(host) {
			s.claim(host, func(c *claim) { c.domain = t }, disputed)
		}
	}
	p.baseHosts(t.Slug, func(host string) {
		s.claim(host, func(c *claim) { c.slug = t }, disputed)
	})
}

func (s *snapshot) claim(host string, take func(c *claim), disputed func(host string)) {
	c, _ := s.hosts.get(host)
	if c.domain == publicSite {
		disputed(host)
		return
	}
	take(&c)
	s.hosts.put(host, c)
	if c.ambiguous() {
		disputed(host)
	}
}

// remove takes out a tenant with what is still its own, and calls settled with each of its
// hosts that nobody disputes now.
func (s *snapshot) remove(p policy, id int64, settled func(host string)) {
	i, ok := s.find(id)
	if !ok {
		return
	}
	route := s.tenants[i]
	t := route.Tenant
	s.tenants = slices.Delete(s.tenants, i, i+1)
	if s.bySlug(t.Slug) == t {
		s.slugs.put(t.Slug, claim{})
	}
	leave := func(host string) {
		c, _ := s.hosts.get(host)
		if c.domain == t {
			c.domain = nil
		}
		if c.slug == t {
			c.slug = nil
		}
		s.hosts.put(host, c)
		if !c.ambiguous() {
			settled(host)
		}
	}
	for _, host := range route.Hosts {
		leave(host)
	}
	p.baseHosts(t.Slug, leave)
}
