package migrate

import "strings"

// tokenKind is the kind of a token. It has only the kinds that this package distinguishes.
type tokenKind uint8

const (
	blank tokenKind = iota // white space and comments
	word
	symbol
	text // a string with its continuations: '...', E'...', $tag$...$tag$
	name // a quoted name
)

// token is a piece of SQL that PostgreSQL's scanner reads as a whole.
type token struct {
	kind tokenKind
	text string // as it is in the file
	open string // what it leaves open, such as a quote or a comment; empty: nothing
	at   int    // byte offset in the text that splitSQL reads
}

// is reports whether the token is the keyword or symbol s, in any case of letters.
func (t token) is(s string) bool {
	return (t.kind == word || t.kind == symbol) && strings.EqualFold(t.text, s)
}

// spaces are the characters that are white space for PostgreSQL.
const spaces = " \t\n\r\f\v"

// next returns the first token of s, as PostgreSQL's scanner reads it. s must not be empty.
func next(s string) token {
	switch c := s[0]; {
	case strings.IndexByte(spaces, c) >= 0:
		return token{kind: blank, text: s[:1]}
	case strings.HasPrefix(s, "--"):
		return token{kind: blank, text: s[:lineComment(s)]}
	case strings.HasPrefix(s, "/*"):
		n, open := blockComment(s)
		return token{kind: blank, text: s[:n], open: open}
	case c == '\'':
		return stringToken(s, 0, false)
	case c == '"':
		return nameToken(s, 0)
	case hasFold(s, "e'"):
		return stringToken(s, 1, true)
	case hasFold(s, "b'"), hasFold(s, "x'"), hasFold(s, "n'"):
		return stringToken(s, 1, false)
	case hasFold(s, "u&'"):
		return stringToken(s, 2, false)
	case hasFold(s, `u&"`):
		return nameToken(s, 2)
	case wordStart(c) || digit(c): // also a number with the letters that follow it
		n := 1
		for n < len(s) && wordByte(s[n]) {
			n++
		}
		return token{kind: word, text: s[:n]}
	case c == '$':
		return dollarToken(s)
	}
	return token{kind: symbol, text: s[:1]}
}

func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// lineComment returns the length of a comment that ends with its line.
func lineComment(s string) int {
	if n := strings.IndexAny(s, "\r\n"); n >= 0 {
		return n
	}
	return len(s)
}

// stringToken reads a string whose quote is at i, with its continuations. A string continues with
// another quote after white space that contains a newline, and PostgreSQL allows comments there.
// The prefix of the first part, such as E, applies to all of them.
func stringToken(s string, i int, escapes bool) token {
	for {
		n, closed := quoted(s[i:], escapes)
		if i += n; !closed {
			return token{kind: text, text: s, open: "a quote"}
		}
		gap := continuation(s[i:])
		if gap == 0 {
			return token{kind: text, text: s[:i]}
		}
		i += gap
	}
}

// nameToken reads a quoted name whose quote is at i. Names have no continuations.
func nameToken(s string, i int) token {
	n, closed := quoted(s[i:], false)
	if !closed {
		return token{kind: name, text: s, open: "a quote"}
	}
	return token{kind: name, text: s[:i+n]}
}

// quoted returns the length of a quoted text with its quotes. A doubled quote is part of the text.
// If escapes is set, as for an E-string, so is the byte after a backslash.
func quoted(s string, escapes bool) (n int, closed bool) {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] != s[0]:
		case i+1 < len(s) && s[i+1] == s[0]:
			i++
		default:
			return i + 1, true
		}
	}
	return len(s), false
}

// continuation returns the length of the text between a string and the quote that continues it, or
// 0 if the string does not continue.
func continuation(s string) int {
	newline := false
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\'' && newline:
			return i
		case s[i] == '\n', s[i] == '\r':
			newline = true
			i++
		case strings.IndexByte(spaces, s[i]) >= 0:
			i++
		case strings.HasPrefix(s[i:], "--"):
			i += lineComment(s[i:])
		default:
			return 0
		}
	}
	return 0
}

// blockComment returns the length of a block comment. Unlike in C, block comments nest.
func blockComment(s string) (int, string) {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1, ""
		}
	}
	return len(s), "a comment"
}

// dollarToken reads a dollar-quoted string. A dollar that does not begin one is a symbol.
func dollarToken(s string) token {
	n := dollarTag(s)
	if n == 0 {
		return token{kind: symbol, text: s[:1]}
	}
	tag := s[:n]
	end := strings.Index(s[n:], tag)
	if end < 0 {
		return token{kind: text, text: s, open: "the dollar quote " + tag}
	}
	return token{kind: text, text: s[:n+end+n]}
}

// dollarTag returns the length of $tag$, or 0 if s does not begin with one.
func dollarTag(s string) int {
	n := 1
	for n < len(s) && s[n] != '$' && wordByte(s[n]) {
		n++
	}
	if n == len(s) || s[n] != '$' || n > 1 && !wordStart(s[1]) {
		return 0
	}
	return n + 1
}

// value returns the value of a string. Of its escapes, it replaces doubled quotes only.
func (t token) value() string {
	if t.text[0] == '$' {
		n := dollarTag(t.text)
		return t.text[n : len(t.text)-n]
	}
	var b strings.Builder
	for s := t.text[strings.IndexByte(t.text, '\''):]; s != ""; s = s[continuation(s):] {
		n, _ := quoted(s, t.text[0] == 'e' || t.text[0] == 'E')
		b.WriteString(strings.ReplaceAll(s[1:n-1], "''", "'"))
		if s = s[n:]; s == "" {
			break
		}
	}
	return b.String()
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func wordByte(c byte) bool { return wordStart(c) || digit(c) || c == '$' }
