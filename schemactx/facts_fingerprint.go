package schemactx

import (
	"encoding/json"
	"time"
)

// fingerprint is the state of the catalogs at the last comparison. It is replaced, never changed.
//
// A tenant's sign-up creates a schema with all of its objects, which must not make the facts of all
// other schemas invalid. So schemas count as old or new, and objects of old schemas are counted
// separately. The objects of an old schema run nothing in a new schema unless one of their own rows
// in the catalogs has changed.
type fingerprint struct {
	counts  string // of all objects
	old     string // of the objects in schemas with an object id up to horizon
	horizon string
	coming  string // the next horizon, used once a schema of that age has had time to be filled
	since   int64  // when coming was the newest schema; see [catalog.now]
}

// comparison is the result of comparing a fingerprint with the catalogs. If counts is unchanged,
// the other fields except newest are empty.
type comparison struct {
	counts, old, coming string   // of all objects, and up to the two horizons
	newer               []string // schemas above the horizon
	newest              string   // object id of the newest schema
}

const (
	// signUpAge is the time that a new schema has to be filled before it counts as old.
	signUpAge = time.Minute
	// anySchema is the highest possible object id.
	anySchema = "4294967295"
)

// ageing reports whether the schemas up to coming count as old from the next comparison that finds
// a change.
func (f *fingerprint) ageing(now int64) bool { return f != nil && now-f.since >= int64(signUpAge) }

// params returns the parameters of fingerprintSQL. In the first comparison every schema counts as
// old.
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

// comparisonOf parses the row of fingerprintSQL.
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
