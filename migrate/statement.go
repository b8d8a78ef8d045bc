package migrate

import "strings"

// sqlText is one statement of a text.
type sqlText struct {
	sql    string  // from the first token to the last
	at     int     // byte offset of sql in the text
	tokens []token // without blanks and the final semicolon
	ended  bool    // it ends with a semicolon
	open   string  // what its last token leaves open, such as a quote; empty: nothing
	body   bool    // it ends within BEGIN ATOMIC ... END
}

// splitSQL splits a text at the semicolons that end a statement for the server. A semicolon in
// quotes, comments, parentheses (as in CREATE RULE) or the body of a function (BEGIN ATOMIC ...
// END) ends none. Text without a token between two semicolons is not a statement.
func splitSQL(sql string) []sqlText {
	var all []sqlText
	var cur splitter
	for at := 0; at < len(sql); {
		t := next(sql[at:])
		if t.kind != blank || t.open != "" {
			cur.add(t, at)
		}
		at += len(t.text)
		if cur.done && len(cur.tokens) > 0 {
			all = append(all, cur.statement(sql))
		}
		if cur.done {
			cur = splitter{}
		}
	}
	if len(cur.tokens) > 0 {
		all = append(all, cur.statement(sql))
	}
	return all
}

// splitter reads one statement.
type splitter struct {
	sqlText
	end    int // offset behind the last token
	parens int // number of open parentheses and brackets
	blocks int // number of open BEGIN ATOMIC, and of CASE within them
	done   bool
}

func (s *splitter) add(t token, at int) {
	if t.is(";") && s.parens <= 0 && s.blocks == 0 {
		s.done, s.ended, s.end = true, true, at+1
		return
	}
	if len(s.tokens) == 0 {
		s.at = at
	}
	switch {
	case t.is("("), t.is("["):
		s.parens++
	case t.is(")"), t.is("]"):
		s.parens--
	case t.kind == word:
		s.nest(t)
	}
	t.at = at
	s.tokens = append(s.tokens, t)
	s.end, s.open = at+len(t.text), t.open
}

// nest counts the open blocks of an SQL body. After a dot or AS a keyword is a name.
func (s *splitter) nest(t token) {
	var last token
	if n := len(s.tokens); n > 0 {
		last = s.tokens[n-1]
	}
	switch {
	case t.is("ATOMIC") && last.is("BEGIN"):
		s.blocks++
	case s.blocks == 0, last.is("."), last.is("AS"):
	case t.is("CASE"):
		s.blocks++
	case t.is("END"):
		s.blocks--
	}
}

func (s *splitter) statement(sql string) sqlText {
	s.sql, s.body = sql[s.at:s.end], s.blocks > 0
	return s.sqlText
}

// readSQL returns the last statement of a text, or an empty one if there is none.
func readSQL(sql string) sqlText {
	all := splitSQL(sql)
	if len(all) == 0 {
		return sqlText{}
	}
	return all[len(all)-1]
}

// words returns the first n tokens in upper case, up to the first that is no plain word. It always
// returns n strings: those that are missing are empty.
func (t sqlText) words(n int) []string {
	words := make([]string, 0, n)
	for _, tok := range t.tokens {
		if tok.kind != word || len(words) == n {
			break
		}
		words = append(words, strings.ToUpper(tok.text))
	}
	return words[:n]
}

// token returns the i-th token, or the zero token if there are fewer.
func (t sqlText) token(i int) token {
	if i < len(t.tokens) {
		return t.tokens[i]
	}
	return token{}
}

// has reports whether the words follow each other somewhere in the statement.
func (t sqlText) has(words ...string) bool {
	for i := range t.tokens {
		n := 0
		for n < len(words) && t.token(i+n).is(words[n]) {
			n++
		}
		if n == len(words) {
			return true
		}
	}
	return false
}

// changesSettings reports whether a statement may change settings of its transaction. It returns
// the statement that resets them, if that is known.
func (t sqlText) changesSettings() (bool, string) {
	words := t.words(4)
	if t.setsTransaction() {
		return false, ""
	}
	switch words[0] {
	case "DO", "CALL", "RESET":
		return true, ""
	case "SET":
		if words[1] == "LOCAL" {
			return true, t.resetOfSetLocal(words)
		}
		return t.setChangesSettings()
	}
	return strings.Contains(strings.ToLower(t.sql), "set_config"), ""
}

// resetOfSetLocal returns the statement that resets a SET LOCAL, or the empty string.
func (t sqlText) resetOfSetLocal(words []string) string {
	name := strings.ToLower(words[2])
	switch {
	case name == "time" && words[3] == "ZONE":
		return "set local timezone to default"
	case name == "session" && words[3] == "AUTHORIZATION":
		return "set local session authorization default"
	case name != "role" && (words[3] == "TO" || t.token(3).is("=")):
		return "set local " + name + " to default"
	}
	return ""
}

// setChangesSettings is changesSettings for a SET that lasts longer than its transaction.
func (t sqlText) setChangesSettings() (bool, string) {
	i := 1
	if t.token(1).is("SESSION") {
		i = 2
	}
	switch {
	case t.token(i).is("CONSTRAINTS"):
		return false, ""
	case t.token(i).is("TIME"):
		return true, "reset timezone"
	case t.token(i).is("NAMES"):
		return true, "reset client_encoding"
	case t.token(i + 1).is("TO"), t.token(i + 1).is("="):
		return true, "reset " + t.token(i).text
	}
	return true, ""
}
