package migrate

import (
	"slices"
	"strings"
)

// inert reports whether a statement cannot leave anything on its session, as it calls no function
// of the database and changes no setting, provided that there are no event triggers: the plain
// CREATE and DROP that most migrations consist of. Whatever is not known for that is not inert, as
// a function may do anything: it is called by a DEFAULT or a CHECK when rows are written, by a
// trigger, or in a query.
func (t sqlText) inert() bool {
	words := t.words(1)
	switch words[0] {
	case "COMMENT", "GRANT", "REVOKE", "DROP":
		return true
	case "CREATE":
		return t.inertCreate()
	}
	return false
}

func (t sqlText) inertCreate() bool {
	if strings.Contains(strings.ToLower(t.sql), "pg_temp") || slices.ContainsFunc(t.tokens, unicodeName) {
		return false // it may be a temporary object
	}
	words := t.words(4)[1:]
	if words[0] == "OR" && words[1] == "REPLACE" {
		words = words[2:]
	}
	if words[0] == "UNIQUE" || words[0] == "UNLOGGED" {
		words = words[1:]
	}
	switch words[0] {
	case "TABLE": // not from a query, and not a partition, whose bounds are computed
		outer, _ := t.outer()
		return !slices.ContainsFunc(outer, func(tok token) bool { return tok.is("AS") || tok.is("OF") || tok.is("EXECUTE") })
	case "INDEX": // of columns alone
		outer, depth := t.outer()
		return depth <= 1 && !slices.ContainsFunc(outer, func(tok token) bool { return tok.is("WHERE") })
	case "TYPE", "DOMAIN", "SEQUENCE", "VIEW", "FUNCTION", "PROCEDURE", "TRIGGER", "POLICY":
		return true
	}
	return false
}

// unicodeName reports whether a name is written in escapes.
func unicodeName(t token) bool { return t.kind == name && hasFold(t.text, `u&"`) }

// outer returns the tokens that stand in no parentheses, and how deep those go.
func (t sqlText) outer() (tokens []token, deepest int) {
	depth := 0
	for _, tok := range t.tokens {
		switch {
		case tok.is("("):
			depth++
			deepest = max(deepest, depth)
		case tok.is(")"):
			depth--
		case depth == 0:
			tokens = append(tokens, tok)
		}
	}
	return tokens, deepest
}

// inert reports whether all that a step does is inert.
func (st step) inert(start sessionStart) bool {
	if st.ran {
		return true
	}
	return !st.isGo() && !st.noTx() && !start.triggers && !slices.ContainsFunc(st.statements(), func(s statement) bool { return !s.inert })
}
