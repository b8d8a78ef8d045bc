package drift

import "strings"

// placeholder replaces the name of the schema in its own definitions.
const placeholder = "{schema}"

// neutral replaces the name of a schema by the placeholder where SQL text means the schema: it is a
// whole name, quoted or not, and a dot follows. So tenant_1 is not replaced in tenant_10 nor in
// x.tenant_1. Strings, dollar quotes and comments stay as they are, except for strings that name an
// object: 'tenant_1.x'::regclass, nextval('tenant_1.x').
//
// An alias or a column that has the name of the schema is replaced as well. [same] allows for that.
func neutral(sql, schema string) string { return neutralise(sql, schema, false) }

// neutralList is neutral for a list of names, such as a search_path: no dot has to follow.
func neutralList(setting, schema string) string { return neutralise(setting, schema, true) }

// same reports whether two texts mean the same. have was read from the schema of that name. If a
// table's alias has the name of the schema, it is a placeholder in have but not in want, so want is
// neutralised under that name, too.
func same(have, want, schema string) bool {
	return have == want || have == neutral(want, schema)
}

func neutralise(sql, schema string, list bool) string {
	if !strings.Contains(strings.ToLower(sql), schema) { // does not allocate if sql is in lower case
		return sql
	}
	s := scanner{in: sql, schema: schema, list: list}
	s.out.Grow(len(sql))
	for s.pos < len(s.in) {
		s.next()
	}
	return s.out.String()
}

// scanner reads SQL token by token, as PostgreSQL's scanner (scan.l) delimits them.
type scanner struct {
	in     string
	schema string
	list   bool
	pos    int
	out    strings.Builder
}

// next copies one token, or writes the placeholder for it.
func (s *scanner) next() {
	rest := s.in[s.pos:]
	switch c := rest[0]; {
	case c == '"':
		n := quotedLen(rest, '"', false)
		s.name(n, unquoted(rest[:n]))
	case (c == 'e' || c == 'E') && strings.HasPrefix(rest[1:], "'"):
		s.copy(1 + quotedLen(rest[1:], '\'', true))
	case nameStart(c):
		n := nameLen(rest)
		s.name(n, strings.ToLower(rest[:n]))
	case c >= '0' && c <= '9': // with the letters that follow
		s.copy(nameLen(rest))
	case c == '\'':
		s.literal(quotedLen(rest, '\'', false))
	case c == '$':
		s.copy(dollarLen(rest))
	case strings.HasPrefix(rest, "--"):
		n := strings.IndexByte(rest, '\n')
		if n < 0 {
			n = len(rest)
		}
		s.copy(n)
	case strings.HasPrefix(rest, "/*"):
		s.copy(commentLen(rest))
	default:
		s.copy(1)
	}
}

func (s *scanner) copy(n int) {
	s.out.WriteString(s.in[s.pos : s.pos+n])
	s.pos += n
}

// name copies a name of n bytes whose value is value, or writes the placeholder for it.
func (s *scanner) name(n int, value string) {
	qualified := strings.HasPrefix(s.in[s.pos+n:], ".")
	part := strings.HasSuffix(s.in[:s.pos], ".")
	if value != s.schema || part || !qualified && !s.list {
		s.copy(n)
		return
	}
	s.out.WriteString(placeholder)
	s.pos += n
}

// literal copies a string of n bytes. If the string names an object, its text is neutralised.
func (s *scanner) literal(n int) {
	before, text, after := s.in[:s.pos], s.in[s.pos:s.pos+n], s.in[s.pos+n:]
	if unquoted(text) == "" { // or without an end
		s.copy(n)
		return
	}
	cast := strings.TrimPrefix(strings.TrimPrefix(after, "::text"), ")")
	switch {
	case strings.HasPrefix(cast, "::regnamespace"):
		text = "'" + neutralList(unquoted(text), s.schema) + "'"
	case strings.HasPrefix(cast, "::reg") || takesName(before):
		text = "'" + neutral(unquoted(text), s.schema) + "'"
	}
	s.out.WriteString(text)
	s.pos += n
}

// unquoted returns the text between the quotes. Doubled quotes stay doubled: no valid schema name
// has one.
func unquoted(s string) string {
	if len(s) < 2 || s[len(s)-1] != s[0] {
		return ""
	}
	return s[1 : len(s)-1]
}

// takesName reports whether the text before a string is a call of a function that takes an object's
// name.
func takesName(before string) bool {
	call, open := strings.CutSuffix(strings.TrimRight(before, " "), "(")
	if !open {
		return false
	}
	start := len(call)
	for start > 0 && (nameStart(call[start-1]) || call[start-1] >= '0' && call[start-1] <= '9') {
		start--
	}
	function := strings.ToLower(call[start:])
	switch function {
	case "nextval", "currval", "setval":
		return true
	}
	return strings.HasPrefix(function, "to_reg")
}

// quotedLen returns the length of a quoted text with its quotes. Inside, quotes are doubled, or
// escaped by a backslash if escapes is set.
func quotedLen(s string, quote byte, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] != quote:
		case i+1 < len(s) && s[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(s)
}

// dollarLen returns the length of a dollar-quoted string, or 1 for the dollar of a parameter.
func dollarLen(s string) int {
	n := 1
	for n < len(s) && nameByte(s[n]) && s[n] != '$' {
		n++
	}
	if n == len(s) || s[n] != '$' || n > 1 && !nameStart(s[1]) {
		return 1
	}
	end := strings.Index(s[n+1:], s[:n+1])
	if end < 0 {
		return len(s)
	}
	return 2*(n+1) + end
}

// commentLen returns the length of a block comment, which may contain others.
func commentLen(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

func nameLen(s string) int {
	n := 1
	for n < len(s) && nameByte(s[n]) {
		n++
	}
	return n
}

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func nameByte(c byte) bool { return nameStart(c) || c >= '0' && c <= '9' || c == '$' }
