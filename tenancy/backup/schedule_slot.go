package backup

import (
	"encoding/binary"
	"hash/fnv"
	"time"
)

// slotOf returns the last time at which a tenant was due. A tenant has one slot in every period, at
// an offset in the window that begins at start. The offset is a hash of its id, so that slots are
// distributed evenly and all processes compute the same ones.
func slotOf(tenant int64, now time.Time, period, start, window time.Duration) time.Time {
	offset := start
	if window > 0 {
		offset += time.Duration(hashID(tenant) % uint64(window)).Truncate(time.Microsecond) // the database's resolution
	}
	since := now.UnixNano() - int64(offset)
	periods := since / int64(period)
	if since < 0 && since%int64(period) != 0 {
		periods--
	}
	return time.Unix(0, periods*int64(period)+int64(offset)).UTC().Truncate(time.Microsecond)
}

// hashID is FNV-1a with a finishing step of MurmurHash3, so that consecutive ids get distant
// values.
func hashID(tenant int64) uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, tenant) // writing to a hash never fails
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
