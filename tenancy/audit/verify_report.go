package audit

import (
	"fmt"
	"time"
)

// ProblemKind is a kind of damage to the log.
type ProblemKind string

const (
	Changed      ProblemKind = "changed"       // a row differs from what was written, or was not written by a log
	Missing      ProblemKind = "missing"       // rows are missing
	Reordered    ProblemKind = "reordered"     // a row was moved to another place
	Repeated     ProblemKind = "repeated"      // two rows have the same position
	HeadMismatch ProblemKind = "head mismatch" // a stored digest differs from that of the rows
	Unlinked     ProblemKind = "unlinked"      // a chain named by another is missing or too short
)

// UnknownTenant is the Tenant of a [Problem] tenant tenant cannot be determined.
const UnknownTenant = -1

// maxProblems is the maximum number of problems in a [Report].
const maxProblems = 1000

// Problem describes damage to a range of a chain.
type Problem struct {
	Kind   ProblemKind
	Tenant int64 // or [UnknownTenant]
	Chain  ChainID
	From   int64     // the first position
	To     int64     // the last position
	Time   time.Time // time of the row; zero: the row is missing
	Detail string    // description
}

// String returns the problem as text.
func (p Problem) String() string {
	tenant := fmt.Sprintf("tenant %d", p.Tenant)
	if p.Tenant == UnknownTenant {
		tenant = "an unknown tenant"
	}
	return fmt.Sprintf("%s: position %d to %d of chain %s, of %s: %s", p.Kind, p.From, p.To, p.Chain, tenant, p.Detail)
}

// Report is the result of a verification.
type Report struct {
	Rows     int64     // number of verified rows
	Chains   int       // number of their chains
	Late     int64     // rows received over an hour after their time: from a spill, or forged later
	Problems []Problem // at most 1000
	More     int       // number of further problems
}

// Err returns a [TamperError] if there are problems.
func (r Report) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return &TamperError{Report: r}
}

func (r *Report) add(p Problem) {
	if len(r.Problems) == maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, p)
}
