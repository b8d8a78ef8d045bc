package migrate

import (
	"fmt"
	"strings"
	"time"
)

// InvalidIndexError is returned, in an [Error], when an index is invalid at the end of a migration
// without a transaction. The migration does not count as applied. If the file creates the index
// with CREATE INDEX CONCURRENTLY, the next run drops the index and creates it again. A Go migration
// has to do that itself.
type InvalidIndexError struct {
	Schema string
	Table  string
	Index  string
}

// Error returns the index and what to do.
func (e *InvalidIndexError) Error() string {
	return fmt.Sprintf(
		"index %q of table %q in schema %q is not valid: drop it and run the migration again",
		e.Index,
		e.Table,
		e.Schema,
	)
}

// BlockedError is returned, in an [Error], when a statement with CONCURRENTLY has waited for other
// transactions for longer than [Config.ConcurrentTimeout]. Run the migration again when those have
// ended. The run drops what is half made and creates it again.
type BlockedError struct {
	Timeout  time.Duration
	Blockers []Blocker // the oldest transaction first, as the login sees them after the wait
	Err      error     // the server's error
}

// Blocker is a session whose transaction a statement has waited for.
type Blocker struct {
	PID         int32
	Application string        // application_name; empty if the login may not see it
	User        string        // the session's login
	State       string        // as in pg_stat_activity, such as "idle in transaction"
	Age         time.Duration // age of its transaction
}

// Error returns the timeout and the sessions.
func (e *BlockedError) Error() string {
	var all []string
	for _, b := range e.Blockers {
		all = append(all, b.String())
	}
	if len(all) == 0 {
		all = []string{"transactions that have ended since"}
	}
	return fmt.Sprintf("waited %v for other transactions: %s: %v", e.Timeout, strings.Join(all, "; "), e.Err)
}

// Unwrap returns the server's error.
func (e *BlockedError) Unwrap() error { return e.Err }

// String returns the session in words.
func (b Blocker) String() string {
	s := fmt.Sprintf("pid %d", b.PID)
	if b.Application != "" {
		s += fmt.Sprintf(" (%s)", b.Application)
	}
	if b.User != "" {
		s += " of " + b.User
	}
	if b.State != "" {
		s += fmt.Sprintf(", %s for %v", b.State, b.Age.Round(time.Second))
	}
	return s
}
