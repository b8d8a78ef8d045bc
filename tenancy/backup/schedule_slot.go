package backup

import (
	"encoding/binary"
	"hash/fnv"
	"time"
)

// slotOf returns the last moment at which a tenant was due: each has one in every period, in the window that begins at start, by a
// hash of its id, so that tenants are spread evenly and every process knows the moments of all without asking.
func slotOf(tenant int64, now time.Time, period, start, window time.Duration) time.Time {
	offset := start
	if window > 0 {
		offset += time.Duration(hashID(tenant) % uint64(window)).Truncate(time.Microsecond) // what the database can hold
	}
	since := now.UnixNano() - int64(offset)
	periods := since / int64(period)
	if since < 0 && since%int64(period) != 0 {
		periods--
	}
	return time.Unix(0, periods*int64(period)+int64(offset)).UTC().Truncate(time.Microsecond)
}

// spread is a hash of FNV-1a, finished as in MurmurHash3 so that ids in a row end up far from each other.
func hashID(tenant int64) uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, tenant) // a hash takes everything
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
