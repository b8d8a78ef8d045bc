package schemactx

import (
	"slices"
	"strings"
)

// qualifiers returns the names before dots in a statement: the schemas that it may name, and also
// aliases and tables of columns. It returns false if it cannot tell, or if a name belongs to the
// session's temporary objects.
func qualifiers(sql string) (names []string, ok bool) {
	if strings.IndexByte(sql, '.') < 0 {
		return nil, true
	}
	l := lexer{rest: sql}
	for {
		word, _, more := l.word()
		switch {
		case !more:
			return names, true
		case word == "":
			word = l.quoted
		}
		switch {
		case !l.followedBy("."), word == "pg_catalog", word == "information_schema", slices.Contains(names, word):
		case len(word) > MaxNameLen, !isASCII(word), strings.HasPrefix(word, "pg_temp"):
			return nil, false
		default:
			names = append(names, word)
		}
	}
}

// isASCII reports whether s is ASCII, so that lower case means the same to PostgreSQL and to Go.
func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 })
}
