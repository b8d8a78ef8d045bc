package resolver

import (
	"hash/maphash"
	"slices"
)

// table is a map from hosts to claims. A Go map finds a host as fast; but this one finds that a host is unknown in two
// thirds of the time, as that is nearly always told by one word of a small array, and is copied, for the next snapshot,
// in a third of it.
//
// It is a hash table with linear probing, at most half full. A host that is taken out stays, with an empty claim, until the
// table grows or is made anew. Its hash is seeded: nobody can choose hosts that collide.
type table struct {
	seed    maphash.Seed
	slots   []uint64 // the upper half of a host's hash, and its index in entries; 0: free
	entries []entry  // the first is unused
	known   int      // entries with a claim
}

type entry struct {
	host  string
	claim claim
}

// newTable returns one with room for so many hosts.
func newTable(hosts int) *table {
	size := 64
	for size < 2*(hosts+1) {
		size *= 2
	}
	return &table{seed: maphash.MakeSeed(), slots: make([]uint64, size), entries: make([]entry, 1, hosts+1)}
}

const upper = 0xffffffff_00000000

// get returns the host's claim, or none.
func (t *table) get(host string) (claim, bool) {
	hash := maphash.String(t.seed, host)
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return claim{}, false
		}
		if (slot^hash)&upper == 0 {
			if e := &t.entries[uint32(slot)]; e.host == host {
				return e.claim, e.claim != claim{}
			}
		}
	}
}

// put gives the host a claim; the empty one takes it out.
func (t *table) put(host string, c claim) {
	hash := maphash.String(t.seed, host)
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if e := &t.entries[uint32(t.slots[i])]; e.host == host {
			t.count(e.claim, c)
			e.claim = c
			return
		}
	}
	if c == (claim{}) {
		return
	}
	if 2*(len(t.entries)+1) > len(t.slots) {
		t.grow()
		t.put(host, c)
		return
	}
	t.slots[i] = hash&upper | uint64(len(t.entries))
	t.entries = append(t.entries, entry{host, c})
	t.known++
}

func (t *table) count(before, after claim) {
	if before != (claim{}) {
		t.known--
	}
	if after != (claim{}) {
		t.known++
	}
}

// grow makes room for as many hosts again as there are.
func (t *table) grow() {
	bigger := newTable(2 * max(t.known, 16))
	for _, e := range t.entries[1:] {
		bigger.put(e.host, e.claim)
	}
	*t = *bigger
}

func (t *table) clone() *table {
	c := *t
	c.slots, c.entries = slices.Clone(t.slots), slices.Clone(t.entries)
	return &c
}
