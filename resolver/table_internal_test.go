package resolver

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/oryne/pgtenant/tenancy"
)

// The table is compared with a Go map over random changes, and its copies with what they were.
func TestTableIsAMap(t *testing.T) {
	t.Parallel()
	tenants := []*tenancy.Tenant{{ID: 1}, {ID: 2}, {ID: 3}}
	tab, want := newTable(0), map[string]claim{}
	var copies []*table
	var known []int
	for i := range 20_000 {
		host := fmt.Sprint("h", rand.IntN(1000))
		var c claim
		if rand.IntN(3) > 0 {
			c = claim{domain: tenants[rand.IntN(3)]}
			want[host] = c
		} else {
			delete(want, host)
		}
		if tab.put(host, c); i%1000 == 0 {
			copies, known = append(copies, tab), append(known, tab.known)
			tab = tab.clone()
		}
	}
	for i := range 1100 {
		host := fmt.Sprint("h", i)
		got, ok := tab.get(host)
		if c, wanted := want[host]; got != c || ok != wanted {
			t.Errorf("%s: %v, %v, want %v", host, got, ok, c)
		}
	}
	if tab.known != len(want) || 2*len(tab.entries) > len(tab.slots) {
		t.Errorf("%d known of %d entries, want %d", tab.known, len(tab.entries), len(want))
	}
	for i, c := range copies {
		n := 0
		for _, e := range c.entries {
			if got, ok := c.get(e.host); ok && got == e.claim {
				n++
			}
		}
		if n != known[i] {
			t.Errorf("copy %d has %d hosts, had %d", i, n, known[i])
		}
	}
}
