package ratelimit

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// shards is the number of lists of a table.
const shards = 1024

// table is a map by tenant that is read without a lock. A writer replaces one list by a modified
// copy; writes happen only when a tenant comes or goes. A list is a sorted slice, because a lookup
// in a Go map touches about twice as many cache lines, and with thousands of tenants that dominates
// the cost of a decision. The zero table is empty.
type table[V any] struct {
	shards [shards]shard[V]
}

type shard[V any] struct {
	current atomic.Pointer[[]entry[V]]
	mu      sync.Mutex // for writers
}

type entry[V any] struct {
	tenant int64
	value  *V
}

func (t *table[V]) shard(tenant int64) *shard[V] { return &t.shards[uint64(tenant)%shards] } // IDs are consecutive

func (s *shard[V]) entries() []entry[V] {
	if p := s.current.Load(); p != nil {
		return *p
	}
	return nil
}

// get returns the value of tenant, or nil.
func (t *table[V]) get(tenant int64) *V {
	entries := t.shard(tenant).entries()
	low, high := 0, len(entries)
	for low < high {
		mid := int(uint(low+high) / 2)
		switch e := &entries[mid]; {
		case e.tenant == tenant:
			return e.value
		case e.tenant < tenant:
			low = mid + 1
		default:
			high = mid
		}
	}
	return nil
}

// make returns the value of tenant and creates a zero V if there is none.
func (t *table[V]) make(tenant int64) *V {
	s := t.shard(tenant)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries()
	i, found := slices.BinarySearchFunc(old, tenant, func(e entry[V], id int64) int { return cmp.Compare(e.tenant, id) })
	if found {
		return old[i].value
	}
	e := entry[V]{tenant: tenant, value: new(V)}
	next := slices.Concat(old[:i], []entry[V]{e}, old[i:])
	s.current.Store(&next)
	return e.value
}

// remove removes the values of the i-th list for which drop returns true.
func (t *table[V]) remove(i int, drop func(v *V) bool) {
	s := &t.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries()
	next := slices.DeleteFunc(slices.Clone(old), func(e entry[V]) bool { return drop(e.value) })
	if len(next) < len(old) {
		s.current.Store(&next)
	}
}

// all yields the entries. Each list is read at one moment during the iteration.
func (t *table[V]) all() iter.Seq2[int64, *V] {
	return func(yield func(int64, *V) bool) {
		for i := range t.shards {
			for _, e := range t.shards[i].entries() {
				if !yield(e.tenant, e.value) {
					return
				}
			}
		}
	}
}
