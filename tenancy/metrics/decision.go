package metrics

import "context"

// Decision is the decision of a rate limiter.
type Decision int

// The decisions.
const (
	Allowed    Decision = iota // the request is within the limit
	Limited                    // the request is refused with 429
	Undecided                  // the limiter's store is unavailable, so that a policy decided
	unknownEnd                 // the first invalid value
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
