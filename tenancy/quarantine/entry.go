package quarantine

import (
	"time"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// The reasons for quarantine. Later releases may add reasons.
const (
	Behind = "behind" // migrations are pending
	// migrations are pending and one failed, see [Config].Results and [Quarantine.Migrated]
	Failed     = "failed"
	Newer      = "newer"        // a newer program has migrated it, and this one cannot work with it
	Edited     = "edited"       // migrations are pending, and are not applied because files were edited
	OutOfOrder = "out_of_order" // a pending migration is older than one that is applied
	BadTable   = "bad_table"    // its version table is not one of goose
	Missing    = "missing"      // there is no such schema
	Unknown    = "unknown"      // it was not checked yet
)

var reasons = map[migrate.Outcome]string{
	migrate.Behind: Behind, migrate.UnknownVersion: Newer, migrate.Edited: Edited, migrate.OutOfOrder: OutOfOrder,
	migrate.BadTable: BadTable, migrate.Missing: Missing, migrate.Failed: Unknown,
}

// allReasons are the reasons that [Status] counts.
var allReasons = []string{Behind, Failed, Newer, Edited, OutOfOrder, BadTable, Missing, Unknown}

// Entry describes one schema in quarantine. It must not be modified.
type Entry struct {
	Schema  string
	Reason  string
	Version int64     // the newest applied version; 0: none, or unknown
	Pending []int64   // versions
	Since   time.Time // when the program found it with this reason
	Err     error     // the cause; nil if the schema is only behind
}

func (e *Entry) same(other *Entry) bool {
	if e == nil || other == nil {
		return e == other
	}
	return e.Reason == other.Reason
}

// error returns the error of the tenant's refused requests.
func (e *Entry) error(t *tenancy.Tenant, retryAfter time.Duration) error {
	refused := &tenancy.QuarantineError{Slug: t.Slug, Schema: t.Schema, Reason: e.Reason, Err: e.Err}
	if e.Reason == Behind || e.Reason == Unknown {
		refused.RetryAfter = retryAfter
	}
	return refused
}

// entryOf returns the entry for a state, or nil for a schema that can be served. failure is the
// error of a failed migration, or nil.
func entryOf(s migrate.SchemaState, failure error, now time.Time) *Entry {
	e := &Entry{Schema: s.Schema, Version: s.Version, Pending: s.Pending, Since: now, Err: s.Err}
	switch s.Outcome {
	case migrate.Current, migrate.NewerCompatible, migrate.Migrated:
		return nil
	case migrate.Edited:
		if len(s.Pending) == 0 {
			return nil
		}
	case migrate.Behind:
		if failure != nil {
			e.Reason, e.Err = Failed, failure
			return e
		}
	}
	reason, ok := reasons[s.Outcome]
	if !ok {
		reason = Unknown
	}
	e.Reason = reason
	return e
}
