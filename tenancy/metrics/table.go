package metrics

import (
	"hash/maphash"
	"sync/atomic"
)

// table maps schemas to accounts. Reads need no lock; writes hold the ledger's lock.
//
// With 10,000 tenants the cost of a lookup is cache misses. A [sync.Map] has about ten per lookup;
// this table, which uses open addressing with linear probing, has two.
type table struct {
	mask  uint64
	slots []slot
	used  int
}

type slot struct {
	hash     atomic.Uint64 // 0: the slot is free; written after counters
	counters atomic.Pointer[counters]
}

const minSlots = 64

func newTable(accounts int) *table {
	n := minSlots
	for n < 2*accounts {
		n *= 2
	}
	return &table{mask: uint64(n - 1), slots: make([]slot, n)}
}

// hashOf returns the hash of a schema. It is never 0, which marks a free slot.
func hashOf(seed maphash.Seed, schema string) uint64 { return maphash.String(seed, schema) | 1 }

func (t *table) get(hash uint64, schema string) *counters {
	for i := hash >> 1 & t.mask; ; i = (i + 1) & t.mask {
		switch s := &t.slots[i]; s.hash.Load() {
		case 0:
			return nil
		case hash:
			if h := s.counters.Load(); string(h.key[:h.length]) == schema {
				return h
			}
		}
	}
}

// put adds an account that the table does not have, and returns the table to use from then on.
func (t *table) put(a *account) *table {
	if 2*(t.used+1) > len(t.slots) {
		grown := newTable(len(t.slots))
		for i := range t.slots {
			if h := t.slots[i].counters.Load(); h != nil {
				grown.enter(h.account)
			}
		}
		t = grown
	}
	t.enter(a)
	return t
}

// enter stores an account. Concurrent readers see the slot as free until the hash is stored.
func (t *table) enter(a *account) {
	i := a.hash >> 1 & t.mask
	for t.slots[i].hash.Load() != 0 {
		i = (i + 1) & t.mask
	}
	t.slots[i].counters.Store(a.counters)
	t.slots[i].hash.Store(a.hash)
	t.used++
}
