package migrate

import "strings"

// sqlText is what the text of a statement says about itself.
type sqlText struct {
	words  []string // the first plain words in upper case, until anything else comes
	stop   string   // what comes after them
	ended  bool     // its last token is a semicolon
	more   bool     // something follows a semicolon: the server takes one statement at a time
	open   string   // what is not closed: a quote, a comment
	stdio  bool     // names STDIN or STDOUT
	atomic bool     // has BEGIN ATOMIC, a body in which semicolons are not ends
}

// maxWords is how many words of a statement are looked at.
const maxWords = 4

// readSQL looks at the text as PostgreSQL's scanner does: quotes, dollar quotes and comments are
// passed over as wholes.
func readSQL(sql string) sqlText {
	var t sqlText
	depth, ended, head, last := 0, false, true, ""
	for s := sql; s != ""; {
		n, open, kind := token(s)
		tok := s[:n]
		s = s[n:]
		if open != "" {
			t.open = open
			return t
		}
		if kind == blank {
			continue
		}
		t.more, t.ended = t.more || ended, tok == ";"
		switch kind {
		case word:
			upper := strings.ToUpper(tok)
			if head && len(t.words) < maxWords {
				t.words = append(t.words, upper)
			}
			t.stdio = t.stdio || upper == "STDIN" || upper == "STDOUT"
			t.atomic = t.atomic || upper == "ATOMIC" && last == "BEGIN"
			last = upper
			continue
		case symbol:
			switch tok {
			case "(", "[":
				depth++
			case ")", "]":
				depth--
			case ";":
				ended = depth <= 0 && !t.atomic && len(t.words)+len(last) > 0
				continue // semicolons in front of a statement are dropped by the server
			}
		case quoted, blank:
		}
		if head {
			t.stop = tok
		}
		head, last = false, tok
	}
	return t
}

// tokenKind is what a token is, as far as it matters here.
type tokenKind uint8

const (
	blank tokenKind = iota // white space and comments
	word
	symbol
	quoted
)

// token returns the length of the first token, and what is not closed if it is not.
func token(s string) (n int, open string, kind tokenKind) {
	switch c := s[0]; {
	case strings.ContainsRune(" \t\n\r\f\v", rune(c)):
		return 1, "", blank
	case strings.HasPrefix(s, "--"):
		if n = strings.IndexAny(s, "\r\n"); n < 0 {
			n = len(s)
		}
		return n, "", blank
	case strings.HasPrefix(s, "/*"):
		n, open = comment(s)
		return n, open, blank
	case c == '\'', c == '"':
		n, open = quote(s, false)
		return n, open, quoted
	case (c == 'e' || c == 'E') && strings.HasPrefix(s[1:], "'"):
		n, open = quote(s[1:], true)
		return n + 1, open, quoted
	case wordStart(c) || c >= '0' && c <= '9': // a number too, with what follows it
		for n = 1; n < len(s) && wordByte(s[n]); {
			n++
		}
		return n, "", word
	case c == '$':
		return dollar(s)
	}
	return 1, "", symbol
}

// quote measures a string or a quoted name; in an E-string a backslash escapes.
func quote(s string, escapes bool) (int, string) {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] == s[0]:
			return i + 1, "" // a doubled quote is two strings, to the same end
		}
	}
	return len(s), "a quote"
}

// comment measures a comment of the C kind. Unlike in C they nest.
func comment(s string) (int, string) {
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

// dollar measures a dollar-quoted string. A dollar that begins none is a symbol.
func dollar(s string) (int, string, tokenKind) {
	n := 1
	for n < len(s) && s[n] != '$' && wordByte(s[n]) {
		n++
	}
	if n == len(s) || s[n] != '$' || n > 1 && !wordStart(s[1]) {
		return 1, "", symbol
	}
	tag := s[:n+1]
	end := strings.Index(s[n+1:], tag)
	if end < 0 {
		return len(s), "the dollar quote " + tag, quoted
	}
	return n + 1 + end + len(tag), "", quoted
}

func wordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func wordByte(c byte) bool { return wordStart(c) || c >= '0' && c <= '9' || c == '$' }

// strays reports whether a statement may change settings of its transaction, and returns what
// undoes it where that is known.
func (t sqlText) strays(sql string) (bool, string) {
	words := append(t.words, "", "", "", "")
	switch words[0] {
	case "DO", "CALL":
		return true, ""
	case "SET":
		name := strings.ToLower(words[2])
		switch {
		case words[1] != "LOCAL":
			return false, ""
		case name == "time" && words[3] == "ZONE":
			return true, "set local timezone to default"
		case name == "session" && words[3] == "AUTHORIZATION":
			return true, "set local session authorization default"
		case name != "role" && (words[3] == "TO" || words[3] == "" && t.stop == "="):
			return true, "set local " + name + " to default"
		}
		return true, ""
	}
	return strings.Contains(strings.ToLower(sql), "set_config"), ""
}
