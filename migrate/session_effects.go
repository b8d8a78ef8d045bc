package migrate

import (
	"slices"
	"strings"
)

// keepsSession reports whether a statement cannot change its session, provided that there are no
// event triggers. Such a statement calls no function of the database and changes no setting. The
// plain CREATE and DROP statements of most migrations are such statements. Every other statement
// may change the session: it may call a function, in a DEFAULT, a CHECK, a trigger or a query, and
// a function may do anything.
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
	case "INDEX": // a B-tree on columns; expressions, predicates and other access methods call functions
		outer, depth := t.outer()
		return depth <= 1 && !contains(outer, "WHERE") && (!contains(outer, "USING") || t.has("USING", "BTREE"))
	case "FUNCTION", "PROCEDURE":
		return t.functionKeepsSession()
	case "TYPE", "DOMAIN", "SEQUENCE", "VIEW", "TRIGGER", "POLICY":
		return !t.readsLiterals(-1)
	}
	return false
}

// tableKeepsSession reports whether a CREATE TABLE calls no function. The table must not be filled
// by a query and must not be a partition, because the server computes the bounds of a partition. It
// must have no expressions that the server simplifies, such as those of indexes and partition keys.
// A DEFAULT or a CHECK is not evaluated without rows.
func (t sqlText) tableKeepsSession() bool {
	outer, _ := t.outer()
	return !contains(outer, "AS", "OF", "EXECUTE", "PARTITION", "INHERITS") && !contains(t.tokens, "EXCLUDE", "LIKE")
}

// functionKeepsSession reports whether a CREATE FUNCTION calls no function. Its language must be
// plpgsql, whose body is not evaluated, or sql, whose body is parsed like a view.
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

// readsLiterals reports whether the statement may contain a string that the server reads as a value
// of a composite type, an array or a range: a string with one of their brackets. The server then
// checks the domains in the value, and a check may call any function. body is the index of the
// token with a function's body, which the server does not read as a value; -1 stands for none.
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

// eventTrigger reports whether a statement may create or enable an event trigger. After one, every
// statement that changes a schema may change its session.
func (t sqlText) eventTrigger() bool {
	return strings.Contains(strings.ToLower(strings.Join(strings.Fields(t.sql), " ")), "event trigger")
}

// unicodeName reports whether a name is written with Unicode escapes.
func unicodeName(t token) bool { return t.kind == name && hasFold(t.text, `u&"`) }

// outer returns the tokens outside of parentheses, and the depth of the parentheses.
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

// eventTrigger reports whether a step may create an event trigger.
func (st step) eventTrigger() bool {
	return slices.ContainsFunc(st.statements(), func(s statement) bool { return s.mayCreateEventTrigger })
}

// keepsSession reports whether no statement of a step changes its session.
func (st step) keepsSession(start sessionStart) bool {
	if st.ran {
		return true
	}
	return !st.isGo() && !st.noTx() && !start.triggers &&
		!slices.ContainsFunc(st.statements(), func(s statement) bool { return !s.keepsSession })
}
