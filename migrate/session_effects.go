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
func (t sqlText) keepsSession() bool {
	words := t.words(1)
	switch words[0] {
	case "COMMENT", "GRANT", "REVOKE", "DROP":
		return true
	case "CREATE":
		return t.createKeepsSession()
	}
	return false
}

func (t sqlText) createKeepsSession() bool {
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
	case "TABLE":
		return t.tableKeepsSession() && !t.readsLiterals(-1)
	case "INDEX": // of columns alone, and as trees: the others call functions of types
		outer, depth := t.outer()
		return depth <= 1 && !contains(outer, "WHERE") && (!contains(outer, "USING") || t.has("USING", "BTREE"))
	case "FUNCTION", "PROCEDURE":
		return t.functionKeepsSession()
	case "TYPE", "DOMAIN", "SEQUENCE", "VIEW", "TRIGGER", "POLICY":
		return !t.readsLiterals(-1)
	}
	return false
}

// inertTable reports whether a CREATE TABLE calls nothing: it is not from a query, not a partition,
// whose bounds are computed, and has no expressions that the server simplifies, as those of
// indexes and of keys of partitions. A DEFAULT and a CHECK are not looked at without rows.
func (t sqlText) tableKeepsSession() bool {
	outer, _ := t.outer()
	return !contains(outer, "AS", "OF", "EXECUTE", "PARTITION", "INHERITS") && !contains(t.tokens, "EXCLUDE", "LIKE")
}

// inertFunction reports whether a CREATE FUNCTION calls nothing: its language is one of two that
// are known for what they do with a body, of which that of SQL is read like a view.
func (t sqlText) functionKeepsSession() bool {
	i := slices.IndexFunc(t.tokens, func(tok token) bool { return tok.is("LANGUAGE") })
	language := t.token(i + 1)
	if i < 0 {
		return false
	}
	name := language.identifier()
	if language.kind == text {
		name = strings.ToLower(language.value())
	}
	body := slices.IndexFunc(t.tokens, func(tok token) bool { return tok.is("AS") }) + 1
	switch {
	case name == "plpgsql" && body > 0 && t.token(body).kind == text:
		return !t.readsLiterals(body)
	case name == "sql":
		return !t.readsLiterals(-1)
	}
	return false
}

// readsLiterals reports whether a string may be read as one of a composite type, an array or a
// range when the statement is made: it has their brackets. Domains in those are checked at once,
// and a check may call anything. The body of a function, at the index, is not read so.
func (t sqlText) readsLiterals(body int) bool {
	for i, tok := range t.tokens {
		if tok.kind != text || i == body || tok.text == "'{}'" {
			continue
		}
		if strings.ContainsAny(tok.text, `({[\`) || hasFold(tok.text, "u&") {
			return true
		}
	}
	return false
}

func contains(tokens []token, keywords ...string) bool {
	return slices.ContainsFunc(tokens, func(tok token) bool { return slices.ContainsFunc(keywords, tok.is) })
}

// eventTrigger reports whether a statement may make one, so that what comes behind it is not inert.
func (t sqlText) eventTrigger() bool {
	return strings.Contains(strings.ToLower(strings.Join(strings.Fields(t.sql), " ")), "event trigger")
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

// eventTrigger reports whether a step may make one.
func (st step) eventTrigger() bool {
	return slices.ContainsFunc(st.statements(), func(s statement) bool { return s.events })
}

// inert reports whether all that a step does is inert.
func (st step) keepsSession(start sessionStart) bool {
	if st.ran {
		return true
	}
	return !st.isGo() && !st.noTx() && !start.triggers && !slices.ContainsFunc(st.statements(), func(s statement) bool { return !s.keepsSession })
}
