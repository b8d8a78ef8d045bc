package migrate

import "strings"

// tokenKind is what a token is, as far as it matters here.
type tokenKind uint8

const (
	blank tokenKind = iota // white space and comments
	word
	symbol
	text // a string: '...', E'...', $tag$...$tag$, with what continues it
	name // a quoted name
)

// token is a piece of SQL that PostgreSQL's scanner takes as a whole.
type token struct {
	kind tokenKind
	text string // as it stands in the file
	open string // what is not closed, if it is not: a quote, a comment
	at   int    // where it begins in what splitSQL reads, in bytes
}

// is reports whether the token is the keyword or the symbol, in upper case.
func (t token) is(s string) bool {
	return (t.kind == word || t.kind == symbol) && strings.EqualFold(t.text, s)
}

// spaces are what PostgreSQL takes for white space.
const spaces = " \t\n\r\f\v"

// next returns the first token of s, which is not empty, as PostgreSQL's scanner reads it.
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
	case wordStart(c) || digit(c): // a number too, with what follows it
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

// lineComment measures a comment that ends with its line.
func lineComment(s string) int {
	if n := strings.IndexAny(s, "\r\n"); n >= 0 {
		return n
	}
	return len(s)
}

// stringToken reads a string whose quote is at i, and what continues it: the standard has a string
// go on behind white space with a newline in it, and PostgreSQL allows comments there. The whole of
// it is read as its beginning says.
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

// nameToken reads a quoted name whose quote is at i. Names are not continued.
func nameToken(s string, i int) token {
	n, closed := quoted(s[i:], false)
	if !closed {
		return token{kind: name, text: s, open: "a quote"}
	}
	return token{kind: name, text: s[:i+n]}
}

// quoted measures what stands between two quotes, with them. A doubled quote is a part of it; in an
// E-string a backslash takes the next byte with it.
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

// continuation measures what stands between a string and the quote that continues it; 0: it is not
// continued.
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

// blockComment measures a comment of the C kind. Unlike in C they nest.
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

// dollarToken reads a dollar-quoted string. A dollar that begins none is a symbol.
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

// dollarTag measures $tag$; 0: s begins with none.
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

// value returns what a string says, with escapes other than doubled quotes as they stand.
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
