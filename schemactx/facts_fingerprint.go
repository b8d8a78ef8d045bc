package schemactx

import (
	"encoding/json"
	"time"
)

// fingerprint is what the catalogs looked like when they were compared last. It is replaced, never
// changed.
//
// Signing up a tenant makes a schema and everything in it, and must not have the facts of all
// others loaded again. So schemas are old or new, and what belongs to the old ones is counted by
// itself. Nothing in a new schema is run by an old one's objects unless a row of theirs has
// changed.
type fingerprint struct {
	counts  string // of everything
	old     string // of what belongs to the schemas with an object id up to horizon
	horizon string
	coming  string // the horizon to be, once a schema of that age has had time to be filled
	since   int64  // when coming was the newest schema
}

// sighting is what a comparison with a fingerprint has returned. Where counts is the same, the
// others are not there.
type comparison struct {
	counts, old, coming string   // of everything, and up to the two horizons
	newer               []string // schemas above the horizon
	newest              string   // object id of a schema
}

const (
	// signUpAge is how long a new schema has to be filled before it counts as an old one.
	signUpAge = time.Minute
	// anySchema is the highest object id that there can be.
	anySchema = "4294967295"
)

// ageing reports whether the schemas up to coming are to count as old from the next comparison that
// finds a change on.
func (f *fingerprint) ageing(now int64) bool { return f != nil && now-f.since >= int64(signUpAge) }

// params returns the parameters of fingerprintSQL. The first comparison takes every schema for an
// old one.
func (f *fingerprint) params(now int64) [][]byte {
	switch {
	case f == nil:
		return [][]byte{nil, []byte(anySchema), []byte(anySchema)}
	case f.ageing(now):
		return [][]byte{[]byte(f.counts), []byte(f.horizon), []byte(f.coming)}
	}
	return [][]byte{[]byte(f.counts), []byte(f.horizon), []byte(f.horizon)}
}

// after returns the fingerprint that follows f.
func (f *fingerprint) after(saw comparison, now int64) *fingerprint {
	switch {
	case f == nil:
		return &fingerprint{counts: saw.counts, old: saw.old, horizon: saw.newest, coming: saw.newest, since: now}
	case f.ageing(now):
		return &fingerprint{counts: saw.counts, old: saw.coming, horizon: f.coming, coming: saw.newest, since: now}
	}
	return &fingerprint{counts: saw.counts, old: saw.old, horizon: f.horizon, coming: f.coming, since: f.since}
}

// sightingOf reads the row of fingerprintSQL.
func comparisonOf(rows [][][]byte) (saw comparison, ok bool) {
	if len(rows) != 1 || len(rows[0]) != 6 {
		return saw, false
	}
	row := rows[0]
	saw = comparison{counts: string(row[0]), old: string(row[1]), coming: string(row[2]), newest: string(row[4])}
	if row[2] == nil {
		saw.coming = saw.old // the horizons are the same
	}
	return saw, row[3] == nil || json.Unmarshal(row[3], &saw.newer) == nil
}
