package tenantvet

import (
	"strings"
)

// sqlToken is a word, a quoted name, a string, or a single other character of SQL.
type sqlToken struct {
	kind tokenKind
	text string // a word in lower case, a name or a string without its quotes
}

type tokenKind uint8

const (
	tokenOther tokenKind = iota
	tokenWord
	tokenName   // "quoted"
	tokenString // 'quoted' or E'quoted'; escapes are not decoded
	tokenBody   // $$quoted$$
)

func (t sqlToken) is(word string) bool { return t.kind == tokenWord && t.text == word }

// tokensOf splits SQL into tokens as PostgreSQL does, without comments and white space. A quoted
// token without an end continues to the end of sql.
func tokensOf(sql string) (tokens []sqlToken) {
	for sql != "" {
		var t sqlToken
		var ok bool
		if t, sql, ok = nextToken(sql); ok {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// nextToken returns the first token of sql and the rest. ok is false if sql begins with white space
// or a comment, which rest leaves out.
func nextToken(sql string) (t sqlToken, rest string, ok bool) {
	switch c := sql[0]; {
	case c <= ' ':
		return t, sql[1:], false
	case strings.HasPrefix(sql, "--"):
		_, rest, _ = strings.Cut(sql, "\n")
		return t, rest, false
	case strings.HasPrefix(sql, "/*"):
		return t, afterComment(sql), false
	case (c == 'e' || c == 'E') && strings.HasPrefix(sql[1:], "'"):
		text, rest := quoted(sql[1:], true)
		return sqlToken{tokenString, text}, rest, true
	case c == '\'':
		text, rest := quoted(sql, false)
		return sqlToken{tokenString, text}, rest, true
	case c == '"':
		text, rest := quoted(sql, false)
		return sqlToken{tokenName, text}, rest, true
	case c == '$':
		if body, rest, ok := dollarQuoted(sql); ok {
			return sqlToken{tokenBody, body}, rest, true
		}
	case wordByte(c) && (c < '0' || c > '9'):
		end := 1
		for end < len(sql) && wordByte(sql[end]) {
			end++
		}
		return sqlToken{tokenWord, strings.ToLower(sql[:end])}, sql[end:], true
	}
	return sqlToken{tokenOther, sql[:1]}, sql[1:], true
}

func wordByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '$'
}

// quoted returns the text between the quote at the beginning of sql and the closing one, and the
// rest. A doubled quote in the text counts as one.
func quoted(sql string, escapes bool) (text, rest string) {
	quote := sql[0]
	var b strings.Builder
	for i := 1; i < len(sql); i++ {
		switch {
		case escapes && sql[i] == '\\' && i+1 < len(sql):
			i++
		case sql[i] == quote && i+1 < len(sql) && sql[i+1] == quote:
			i++
		case sql[i] == quote:
			return b.String(), sql[i+1:]
		}
		b.WriteByte(sql[i])
	}
	return b.String(), ""
}

// dollarQuoted returns the text between $tag$ and $tag$, and the rest. ok is false if sql does not
// begin with a tag.
func dollarQuoted(sql string) (body, rest string, ok bool) {
	end := strings.IndexByte(sql[1:], '$')
	if end < 0 {
		return "", "", false
	}
	tag := sql[:end+2]
	for i := range len(tag) - 2 {
		if c := tag[i+1]; !wordByte(c) || i == 0 && c >= '0' && c <= '9' {
			return "", "", false
		}
	}
	body, rest, _ = strings.Cut(sql[len(tag):], tag)
	return body, rest, true
}

// afterComment returns the text after the comment that sql begins with. Comments nest.
func afterComment(sql string) string {
	depth := 0
	for i := 0; i < len(sql); {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return sql[i:]
			}
		default:
			i++
		}
	}
	return ""
}
