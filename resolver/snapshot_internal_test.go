package resolver

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// After each random change the snapshot equals one that is built from scratch, and earlier clones
// are unchanged.
func TestClonedSnapshotsAreIndependent(t *testing.T) {
	t.Parallel()
	p := policy{public: []string{"example.com"}, bases: []string{"example.net"}}
	routes := map[int64]tenancy.Route{}
	ignore := func(string) {}
	s := newSnapshot(p, 0, 0)
	var clones, copies []*snapshot
	for i := range 20_000 {
		id := rand.Int64N(300) + 1
		s.remove(p, id, ignore)
		delete(routes, id)
		if rand.IntN(3) > 0 {
			route := tenancy.Route{Tenant: &tenancy.Tenant{ID: id, Slug: fmt.Sprint("t", id)}}
			for n := range rand.IntN(4) { // a host belongs to one tenant in the registry
				route.Hosts = append(route.Hosts, fmt.Sprintf("h%d-%d.example.org", id, n))
			}
			s.add(p, route, ignore)
			routes[id] = route
		}
		if i%1000 == 0 {
			clones = append(clones, s)
			copies = append(copies, &snapshot{maps.Clone(s.hosts), maps.Clone(s.slugs), maps.Clone(s.tenants)})
			s = s.clone()
		}
	}
	want := newSnapshot(p, 0, 0)
	for _, route := range routes {
		want.add(p, route, ignore)
		require.True(t, s.contains(route))
	}
	require.Equal(t, want.hosts, s.hosts)
	require.Equal(t, want.slugs, s.slugs)
	require.Equal(t, want.tenants, s.tenants)
	for i := range clones {
		assert.Equal(t, copies[i], clones[i])
	}
}
