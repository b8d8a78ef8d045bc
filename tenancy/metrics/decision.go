package metrics

import "context"

// Decision is the decision of a rate limiter.
type Decision int

// The decisions.
const (
	Allowed    Decision = iota // the request goes on
	Limited                    // it is refused with 429
	Undecided                  // the limiter did not know, as its store is away, and a policy had to
	unknownEnd                 // behind the last
)

var decisionNames = [decisions]string{"allowed", "limited", "undecided"}

// RateLimited counts a decision about a request of the tenant of ctx. Any rate limiter can call it.
// An invalid decision counts as [Undecided].
func (m *Metrics) RateLimited(ctx context.Context, d Decision) {
	if d < Allowed || d >= unknownEnd {
		d = Undecided
	}
	m.ledger.of(schemaOf(ctx)).add(cellDecisions+cell(d), 1)
}
