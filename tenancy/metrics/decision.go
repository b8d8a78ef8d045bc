package metrics

import "context"

// Decision is what a rate limiter has said.
type Decision int

// What a rate limiter says.
const (
	Allowed    Decision = iota // the request goes on
	Limited                    // it is refused with 429
	Undecided                  // the limiter did not know, as its store is away, and a policy had to
	unknownEnd                 // behind the last
)

var decisionNames = [decisions]string{"allowed", "limited", "undecided"}

// RateLimited counts a decision about a request of the tenant that ctx belongs to. It is what a
// rate limiter calls, of this library or another. A decision that is none counts as [Undecided].
func (m *Metrics) RateLimited(ctx context.Context, d Decision) {
	if d < Allowed || d >= unknownEnd {
		d = Undecided
	}
	m.ledger.of(schemaOf(ctx)).add(cellDecisions+cell(d), 1)
}
