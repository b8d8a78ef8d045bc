package resolver

import (
	"fmt"
	"maps"
	"slices"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// snapshot is a copy of the registry's routes at one time. Readers share it without a lock, so it
// never changes after it is published: a change of the registry makes another snapshot.
//
// The map hosts holds every host that leads somewhere, those under base domains too, so that a hit
// is one look-up. Several smaller maps would make the copy for a change cheaper, but each look-up
// would hash the host twice.
type snapshot struct {
	hosts   map[string]hostOwners      // by host in normal form
	slugs   map[string]*tenancy.Tenant // by slug
	tenants map[int64]tenancy.Route    // by tenant id
}

// hostOwners says which tenants have a host. Both may be the same tenant, and either may be nil.
type hostOwners struct {
	domain *tenancy.Tenant // has the host as a verified domain
	slug   *tenancy.Tenant // has the host as <slug>.<base>
}

// publicSite marks public hosts, as their domain. It is never returned to a caller.
var publicSite = &tenancy.Tenant{}

// ambiguous reports whether two tenants have the host.
func (o hostOwners) ambiguous() bool { return o.domain != nil && o.slug != nil && o.domain != o.slug }

// target returns what the host stands for, or [ErrAmbiguous].
func (o hostOwners) target(host string) (tenanthttp.Target, error) {
	t := o.domain
	if t == nil {
		t = o.slug
	}
	switch {
	case t == publicSite:
		return tenanthttp.PublicTarget(), nil
	case o.ambiguous():
		return tenanthttp.Target{}, fmt.Errorf("%w: %q", ErrAmbiguous, host)
	}
	return tenanthttp.TenantTarget(t), nil
}

// newSnapshot returns a snapshot with the public hosts alone. tenants and hosts are the expected
// numbers.
func newSnapshot(p policy, tenants, hosts int) *snapshot {
	s := &snapshot{
		hosts:   make(map[string]hostOwners, hosts),
		slugs:   make(map[string]*tenancy.Tenant, tenants),
		tenants: make(map[int64]tenancy.Route, tenants),
	}
	for _, host := range p.public {
		s.hosts[host] = hostOwners{domain: publicSite}
	}
	return s
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{
		hosts: maps.Clone(s.hosts), slugs: maps.Clone(s.slugs), tenants: maps.Clone(s.tenants),
	}
}

// contains reports whether the snapshot has the tenant exactly as route has it, and no other tenant
// has taken a host or the slug from it since it was added.
func (s *snapshot) contains(route tenancy.Route) bool {
	known, ok := s.tenants[route.Tenant.ID]
	if !ok || known.Tenant.Version != route.Tenant.Version || !slices.Equal(known.Hosts, route.Hosts) {
		return false
	}
	for _, host := range known.Hosts {
		domain := s.hosts[host].domain
		if domain != known.Tenant && domain != publicSite && normal(host) {
			return false
		}
	}
	return s.slugs[known.Tenant.Slug] == known.Tenant
}

// add adds a tenant that the snapshot does not have. It calls conflict with each host that another
// tenant or the public site has too. The registry gives a domain and a slug to one tenant at a
// time, and the tenant that is added has been read last, so it takes them from a tenant that had
// them.
func (s *snapshot) add(p policy, route tenancy.Route, conflict func(host string)) {
	t := route.Tenant
	s.tenants[t.ID] = route
	s.slugs[t.Slug] = t
	for _, host := range route.Hosts {
		if normal(host) {
			s.update(host, func(o *hostOwners) { o.domain = t }, conflict)
		}
	}
	p.baseHosts(t.Slug, func(host string) {
		s.update(host, func(o *hostOwners) { o.slug = t }, conflict)
	})
}

func (s *snapshot) update(host string, change func(o *hostOwners), conflict func(host string)) {
	o := s.hosts[host]
	if o.domain == publicSite {
		conflict(host)
		return
	}
	change(&o)
	s.hosts[host] = o
	if o.ambiguous() {
		conflict(host)
	}
}

// remove removes a tenant with the slug and the hosts that it still has. It calls settled with each
// of its hosts that is not ambiguous afterwards.
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
	release := func(host string) {
		o := s.hosts[host]
		if o.domain == t {
			o.domain = nil
		}
		if o.slug == t {
			o.slug = nil
		}
		if s.hosts[host] = o; o == (hostOwners{}) {
			delete(s.hosts, host)
		}
		if !o.ambiguous() {
			settled(host)
		}
	}
	for _, host := range route.Hosts {
		release(host)
	}
	p.baseHosts(t.Slug, release)
}
