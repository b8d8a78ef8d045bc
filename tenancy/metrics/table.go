package metrics

import (
	"hash/maphash"
	"sync/atomic"
)

// table finds accounts by schema. It is read without a lock and written under the ledger's.
//
// With 10,000 tenants what costs is memory that is in no cache: a [sync.Map] takes some ten such
// reads to find one of them, and this, which is open addressing with linear probing, two.
type table struct {
	mask  uint64
	slots []slot
	used  int
}

type slot struct {
	hash atomic.Uint64 // 0: the slot is free; written after hot
	hot  atomic.Pointer[hot]
}

const minSlots = 64

func newTable(accounts int) *table {
	n := minSlots
	for n < 2*accounts {
		n *= 2
	}
	return &table{mask: uint64(n - 1), slots: make([]slot, n)}
}

func hashOf(seed maphash.Seed, schema string) uint64 { return maphash.String(seed, schema) | 1 }

func (t *table) get(hash uint64, schema string) *hot {
	for i := hash >> 1 & t.mask; ; i = (i + 1) & t.mask {
		switch s := &t.slots[i]; s.hash.Load() {
		case 0:
			return nil
		case hash:
			if h := s.hot.Load(); string(h.key[:h.length]) == schema {
				return h
			}
		}
	}
}

// put enters an account that the table does not have, and returns the table to be used from now on.
func (t *table) put(a *account) *table {
	if 2*(t.used+1) > len(t.slots) {
		grown := newTable(len(t.slots))
		for i := range t.slots {
			if h := t.slots[i].hot.Load(); h != nil {
				grown.enter(h.account)
			}
		}
		t = grown
	}
	t.enter(a)
	return t
}

func (t *table) enter(a *account) {
	i := a.hash >> 1 & t.mask
	for t.slots[i].hash.Load() != 0 {
		i = (i + 1) & t.mask
	}
	t.slots[i].hot.Store(a.hot)
	t.slots[i].hash.Store(a.hash)
	t.used++
}
