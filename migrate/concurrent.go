package migrate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// concurrent describes a statement with CONCURRENTLY. Such a statement waits for the snapshots of
// other sessions, and if it fails it leaves an object that is half made.
type concurrent struct {
	plain string // the statement for a schema that no session uses yet: without CONCURRENTLY if the result is the same

	creates bool   // CREATE INDEX
	index   string // name of the index; empty: PostgreSQL chooses it
	table   string // name of its table
	drops   string // name of the index of DROP INDEX

	reindexes bool

	partition string // the partition of DETACH PARTITION, as written
	finalize  string // the statement that completes an interrupted DETACH PARTITION
}

// concurrently returns the description of the statement, or nil if it is not one with CONCURRENTLY.
// Strings, comments and quoted names do not count as keywords.
func (t sqlText) concurrently() *concurrent {
	at := slices.IndexFunc(t.tokens, func(tok token) bool { return tok.kind == word && tok.is("CONCURRENTLY") })
	if at < 0 {
		return nil
	}
	c := &concurrent{plain: t.replace(at, "")}
	switch words := t.words(3); words[0] {
	case "CREATE":
		if words[1] != "INDEX" && words[2] != "INDEX" {
			return nil
		}
		c.creates = true
		c.index, c.table = t.createdIndex(at + 1)
	case "REINDEX":
		c.reindexes = true
		if t.token(1).is("(") && !t.token(at-1).is(words[1]) {
			c.plain = t.replace(at, "VERBOSE") // an option of REINDEX, and maybe the only one
		}
	case "ALTER":
		i := slices.IndexFunc(t.tokens, func(tok token) bool { return tok.is("PARTITION") })
		if i < 1 || !t.token(i-1).is("DETACH") {
			return nil
		}
		// DETACH CONCURRENTLY waits for the sessions that use the table, and for no other snapshots.
		// Unlike DETACH it leaves a constraint, so the plain form would have another result.
		c.plain = t.sql
		c.partition = t.sql[t.tokens[i+1].at-t.at : t.tokens[at].at-t.at]
		c.finalize = t.replace(at, "FINALIZE")
	case "DROP":
		i := at + 1
		if t.token(i).is("IF") {
			i += len([]string{"IF", "EXISTS"})
		}
		if t.token(i + 1).is(".") {
			i += 2
		}
		c.drops = t.token(i).identifier()
	case "REFRESH":
	default:
		return nil
	}
	return c
}

// replace returns the statement with another text in place of the i-th token.
func (t sqlText) replace(i int, with string) string {
	tok := t.tokens[i]
	at := tok.at - t.at
	return t.sql[:at] + with + t.sql[at+len(tok.text):]
}

// createdIndex returns the names after CREATE INDEX CONCURRENTLY.
func (t sqlText) createdIndex(i int) (index, table string) {
	if t.token(i).is("IF") {
		i += len([]string{"IF", "NOT", "EXISTS"})
	}
	if !t.token(i).is("ON") {
		index = t.token(i).identifier()
		i++
	}
	if i++; t.token(i).is("ONLY") {
		i++
	}
	if t.token(i + 1).is(".") {
		i += 2
	}
	return index, t.token(i).identifier()
}

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
