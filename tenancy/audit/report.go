package audit

import (
	"fmt"
	"time"
)

// ProblemKind is what is wrong with a part of the log.
type ProblemKind string

const (
	Changed      ProblemKind = "changed"       // a row is not what was written, or was not written by a log
	Missing      ProblemKind = "missing"       // rows are gone
	Reordered    ProblemKind = "reordered"     // a row is in the place of another
	Repeated     ProblemKind = "repeated"      // a place has a second row
	HeadMismatch ProblemKind = "head mismatch" // a digest of the chain is not that of its rows
	Unlinked     ProblemKind = "unlinked"      // a chain that another one names is gone, or is shorter than it says
)

// UnknownTenant is the Tenant of a [Problem] of which nobody can say whose it is.
const UnknownTenant = -1

// MaxProblems is the most problems that a [Report] names.
const MaxProblems = 1000

// Problem is something that is wrong.
type Problem struct {
	Kind   ProblemKind
	Tenant int64 // or [UnknownTenant]
	Chain  ChainID
	From   int64     // the first position
	To     int64     // the last position
	Time   time.Time // of the row, as it says; zero: it is not there
	Detail string    // for people
}

// String returns the problem for people.
func (p Problem) String() string {
	whose := fmt.Sprintf("tenant %d", p.Tenant)
	if p.Tenant == UnknownTenant {
		whose = "an unknown tenant"
	}
	return fmt.Sprintf("%s: position %d to %d of chain %s, of %s: %s", p.Kind, p.From, p.To, p.Chain, whose, p.Detail)
}

// Report is what a verification found.
type Report struct {
	Rows     int64     // that were verified
	Chains   int       // that they are in
	Late     int64     // rows that the database got more than an hour after their time: from a spill, or made up later
	Problems []Problem // at most [MaxProblems]
	More     int       // problems that are not among them
}

// Err returns a [TamperError] if there are problems.
func (r Report) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return &TamperError{Report: r}
}

func (r *Report) add(p Problem) {
	if len(r.Problems) == MaxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, p)
}
