package migrate

import "slices"

// concurrent is a statement with CONCURRENTLY, which waits for the snapshots of other sessions and
// leaves something half made where it fails.
type concurrent struct {
	plain string // what is sent to a schema that no session uses yet: without it where the result is the same

	creates bool   // CREATE INDEX
	index   string // the name of the index; empty: PostgreSQL chooses it
	table   string // the name of its table
	drops   string // the name of the index of DROP INDEX

	reindexes bool

	partition string // of DETACH PARTITION, as it is written
	finalize  string // what completes a DETACH PARTITION that was interrupted
}

// concurrently reads the statement; nil: it is none of those. Words in strings, comments and quoted
// names are no keywords.
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
			c.plain = t.replace(at, "VERBOSE") // an option, and maybe the only one
		}
	case "ALTER":
		i := slices.IndexFunc(t.tokens, func(tok token) bool { return tok.is("PARTITION") })
		if i < 1 || !t.token(i-1).is("DETACH") {
			return nil
		}
		// It waits for who uses the table, and no other snapshots. What it leaves is not what DETACH
		// leaves: a constraint.
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

// replace returns the statement with another text in the place of a token.
func (t sqlText) replace(i int, with string) string {
	tok := t.tokens[i]
	at := tok.at - t.at
	return t.sql[:at] + with + t.sql[at+len(tok.text):]
}

// createdIndex returns the names behind CREATE INDEX CONCURRENTLY.
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
