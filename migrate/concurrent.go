package migrate

import "slices"

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
