package resolver

import (
	"fmt"
	"maps"
	"slices"

	"github.com/oryne/pgtenant/tenancy"
)

// snapshot is the registry as it was. Readers share it, so it is never changed: a change makes another one.
//
// One table holds every host that leads somewhere, those under base domains too, so that a hit is one lookup. Shards, which
// would make a change cheaper than a copy of all, cost each lookup a second hash and more memory to wait for.
type snapshot struct {
	hosts   *table
	slugs   map[string]*tenancy.Tenant
	tenants map[int64]tenancy.Route
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
		slugs:   make(map[string]*tenancy.Tenant, tenants),
		tenants: make(map[int64]tenancy.Route, tenants),
	}
	for _, host := range p.public {
		s.hosts.put(host, claim{domain: publicSite})
	}
	return s
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{hosts: s.hosts.clone(), slugs: maps.Clone(s.slugs), tenants: maps.Clone(s.tenants)}
}

// same reports whether the tenant is in the snapshot as route has it, and nobody has taken a host from it since.
func (s *snapshot) same(route tenancy.Route) bool {
	known, ok := s.tenants[route.Tenant.ID]
	if !ok || known.Tenant.Version != route.Tenant.Version || !slices.Equal(known.Hosts, route.Hosts) {
		return false
	}
	for _, host := range known.Hosts {
		if c, _ := s.hosts.get(host); c.domain != known.Tenant && c.domain != publicSite && normal(host) {
			return false
		}
	}
	return s.slugs[known.Tenant.Slug] == known.Tenant
}

// add puts a tenant in, and calls disputed with each host that somebody else has as well. The registry allows one
// tenant at a time to have a domain or a slug: what is added has been read last, and takes it from whom had it.
func (s *snapshot) add(p policy, route tenancy.Route, disputed func(host string)) {
	t := route.Tenant
	s.tenants[t.ID] = route
	s.slugs[t.Slug] = t
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
	route, ok := s.tenants[id]
	if !ok {
		return
	}
	t := route.Tenant
	delete(s.tenants, id)
	if s.slugs[t.Slug] == t {
		delete(s.slugs, t.Slug)
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
