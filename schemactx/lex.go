package schemactx

import (
	"slices"
	"strings"
)

// sqlKind is what the text of a statement says about the session state that it may leave.
type sqlKind uint8

const (
	// kindOther may leave session state, so the connection is scrubbed before the next tenant uses it.
	// It may also have changed the scope, so the next statement of a transaction follows an assertion.
	kindOther sqlKind = iota
	// kindRead reads, calls only functions that are known to leave no session state, and leaves none.
	kindRead
	// kindWrite is like kindRead, but also writes: a sequence may have moved, a trigger may have run.
	kindWrite
	// kindRefused would change the session or end the transaction, and so the scope.
	kindRefused
	// kindCopy is a COPY. It is not sent as a statement, because COPY has a protocol of its own.
	kindCopy
	// kindBlock is a DO or a CALL, whose code may commit. It runs inside a transaction block, where
	// the code cannot commit.
	kindBlock
)

// mayChangeScope reports whether a statement of this kind may have changed the scope.
func (k sqlKind) mayChangeScope() bool { return k == kindOther || k == kindBlock }

// refusedCommands are the first words of the commands that change the session or the transaction.
// The extended protocol takes one statement at a time, so the first word identifies the command.
var refusedCommands = []string{
	"abort", "begin", "commit", "deallocate", "discard", "end", "execute", "listen", "load", "prepare", "release",
	"reset", "rollback", "savepoint", "set", "start", "unlisten",
}

// plainCommands are the commands whose words are checked one by one.
var plainCommands = []string{"delete", "insert", "merge", "select", "table", "update", "values", "with"}

// writingWords make a statement a write, wherever they occur. The table may have triggers, and the
// text does not show which functions these call.
var writingWords = []string{"delete", "insert", "into", "merge", "truncate", "update"}

// harmlessCalls are the names that may precede a parenthesis in a read: keywords, and functions of
// PostgreSQL that leave nothing in the session. Any other name, such as a user's function, makes
// the statement one that may leave session state.
var harmlessCalls = slices.Sorted(strings.FieldsSeq(`
	all and any array as between by case char conflict insert returning set character cube cast decimal distinct else
		end exists except extract filter
	float from full group grouping having ilike in inner intersect is join key lateral left like limit materialized
	not null nulls numeric offset on only or order over overlaps partition position range recursive right rollup row rows
	select sets similar some substring then time timestamp to trim union using values varchar when where with within
	abs age array_agg array_append array_length array_position array_remove array_to_json array_to_string avg
	bit_and bit_or bool_and bool_or btrim cardinality ceil ceiling chr clock_timestamp coalesce concat concat_ws count
	cume_dist current_date current_database current_schema date_bin date_part date_trunc decode dense_rank encode every
	first_value floor format gen_random_uuid generate_series greatest initcap isfinite json_agg json_array_elements
	json_array_length json_build_array json_build_object json_each json_each_text json_object_agg jsonb_agg
	jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
	jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_path_exists
	jsonb_path_query jsonb_set jsonb_strip_nulls jsonb_typeof lag last_value lead least left length lower lpad ltrim
	make_date make_interval max md5 min mod now ntile nullif num_nonnulls percent_rank percentile_cont
	percentile_disc pg_backend_pid pg_typeof plainto_tsquery power quote_ident quote_literal random rank regexp_match
	regexp_matches regexp_replace regexp_split_to_array repeat replace reverse right round row_number row_to_json rpad
	rtrim sha256 sign split_part sqrt starts_with statement_timestamp stddev string_agg string_to_array strpos substr
	sum to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector translate trunc ts_headline
	ts_rank unnest upper variance version websearch_to_tsquery width_bucket`))

// kindOf classifies one statement by its text. It returns kindOther for what it does not
// understand, which costs at most an unnecessary scrub. It allocates only for names of mixed case.
func kindOf(sql string) sqlKind {
	l := lexer{rest: sql}
	first := l.firstWord()
	switch {
	case first == "set" && l.firstWord() == "constraints" && !l.followedBy("."): // constraints.x is a setting
		return kindOther
	case contains(refusedCommands, first):
		return kindRefused
	case first == "copy":
		return kindCopy
	case first == "call" || first == "do":
		return kindBlock
	case first == "explain" && l.mentions("execute"): // it shows another tenant's statement
		return kindRefused
	case !contains(plainCommands, first):
		return kindOther
	}
	kind := kindRead
	if contains(writingWords, first) {
		kind = kindWrite
	}
	var into, target bool // a table follows INTO, and its parenthesis is a list of columns
	for {
		word, plain, ok := l.word()
		target = into || target && !plain
		into = plain && word == "into" && l.names() // else it is a column's label
		switch {
		case !ok && kind == kindWrite && namesSettings(sql):
			return kindOther
		case !ok:
			return kind
		case word == unicodePrefix, word == escapePrefix, l.projects:
			return kindOther
		case l.calls() && !target && (!plain || !contains(harmlessCalls, word)):
			return kindOther
		case plain && contains(writingWords, word):
			kind = kindWrite
		}
	}
}

// escapePrefix begins a string in which a backslash escapes. That also holds for the strings that
// continue it on the next lines.
const escapePrefix = "e'"

// unicodePrefix begins a name or a string in which any character can be written as an escape.
const unicodePrefix = "u&"

// namesSettings reports whether a statement may write to the view pg_settings. An update of that
// view changes the setting.
func namesSettings(sql string) bool {
	const view = "pg_settings"
	for i := range len(sql) - len(view) + 1 {
		if strings.EqualFold(sql[i:i+len(view)], view) {
			return true
		}
	}
	return false
}

func contains(sorted []string, word string) bool {
	_, found := slices.BinarySearch(sorted, word)
	return found
}

// lexer splits a statement into words as PostgreSQL's scanner (scan.l) does. It skips strings,
// quoted names, dollar quotes and nested comments as wholes.
type lexer struct {
	rest     string
	last     byte   // what precedes rest, without white space and comments: a character, or aName
	owner    byte   // what precedes the last dot
	quoted   string // the last word, if it was quoted
	projects bool   // the last word follows an expression and a dot, which can call a function
}

// aName stands for a name in last and owner, quoted or not.
const aName = 'a'

// firstWord returns the first word of a statement, in lower case. It skips semicolons, because the
// server ignores empty statements, and parentheses, because they may enclose a select.
func (l *lexer) firstWord() string {
	for {
		l.skipBlank()
		if l.rest == "" || l.rest[0] != ';' && l.rest[0] != '(' {
			break
		}
		l.rest = l.rest[1:]
	}
	if l.rest == "" || !wordStart(l.rest[0]) {
		return ""
	}
	return l.consume(l.wordLen())
}

// word returns the next word in lower case. plain is true if the word is neither quoted nor
// qualified. ok is false at the end.
func (l *lexer) word() (word string, plain, ok bool) {
	for l.skipBlank(); l.rest != ""; l.skipBlank() {
		c, last := l.rest[0], l.last
		plain, l.last = last != '.', c
		l.projects = !plain && l.owner != aName
		switch {
		case wordStart(c):
			n := l.wordLen()
			l.last = aName
			switch follows := l.rest[n:]; {
			case n == 1 && (c == 'e' || c == 'E') && strings.HasPrefix(follows, "'"),
				n == 1 && (c == 'u' || c == 'U') && strings.HasPrefix(follows, "&"):
				return l.consume(2), plain, true
			case n == 1 && strings.HasPrefix(follows, "'"): // B'', X'', N''
				l.last, l.rest = '\'', follows
				l.skipQuoted('\'')
			default:
				return l.consume(n), plain, true
			}
		case c == '"':
			l.last = aName
			name := l.rest
			l.skipQuoted('"')
			l.quoted = strings.ReplaceAll(strings.Trim(name[:len(name)-len(l.rest)], `"`), `""`, `"`)
			return "", false, true
		case c == '\'':
			l.skipQuoted('\'')
		case c == '$':
			l.skipDollar()
		case c >= '0' && c <= '9': // with the letters that follow: 1e5, 0x1f
			l.rest = l.rest[l.wordLen():]
		default:
			if c == '.' {
				l.owner = last
			}
			l.rest = l.rest[1:]
		}
	}
	l.projects = false
	return "", false, false
}

// names reports whether a name follows.
func (l *lexer) names() bool {
	l.skipBlank()
	return l.rest != "" && (wordStart(l.rest[0]) || l.rest[0] == '"')
}

// calls reports whether an opening parenthesis follows.
func (l *lexer) calls() bool { return l.followedBy("(") }

func (l *lexer) followedBy(s string) bool {
	l.skipBlank()
	return strings.HasPrefix(l.rest, s)
}

// mentions reports whether the rest contains the plain word.
func (l *lexer) mentions(word string) bool {
	for {
		w, plain, ok := l.word()
		if !ok || plain && w == word {
			return ok
		}
	}
}

// skipBlank skips white space and comments.
func (l *lexer) skipBlank() {
	for {
		l.rest = strings.TrimLeft(l.rest, " \t\n\r\f\v")
		switch {
		case strings.HasPrefix(l.rest, "--"):
			end := strings.IndexAny(l.rest, "\n\r")
			if end < 0 {
				end = len(l.rest)
			}
			l.rest = l.rest[end:]
		case strings.HasPrefix(l.rest, "/*"):
			l.skipComment()
		default:
			return
		}
	}
}

// skipComment skips a /* */ comment. Unlike in C, these comments nest.
func (l *lexer) skipComment() {
	depth := 0
	for l.rest != "" {
		switch {
		case strings.HasPrefix(l.rest, "/*"):
			depth++
			l.rest = l.rest[2:]
		case strings.HasPrefix(l.rest, "*/"):
			depth--
			l.rest = l.rest[2:]
			if depth == 0 {
				return
			}
		default:
			l.rest = l.rest[1:]
		}
	}
}

// skipQuoted skips a quoted text. Quotes inside it are doubled.
func (l *lexer) skipQuoted(quote byte) {
	end := strings.IndexByte(l.rest[1:], quote)
	if end < 0 {
		l.rest = ""
		return
	}
	l.rest = l.rest[end+2:]
	if l.rest != "" && l.rest[0] == quote {
		l.skipQuoted(quote)
	}
}

// skipDollar skips a dollar-quoted string or the dollar sign of a parameter.
func (l *lexer) skipDollar() {
	n := 1
	for n < len(l.rest) && wordByte(l.rest[n]) && l.rest[n] != '$' {
		n++
	}
	if n == len(l.rest) || l.rest[n] != '$' || n > 1 && !wordStart(l.rest[1]) {
		l.rest = l.rest[1:]
		return
	}
	tag := l.rest[:n+1]
	end := strings.Index(l.rest[n+1:], tag)
	if end < 0 {
		l.rest = ""
		return
	}
	l.rest = l.rest[n+1+end+len(tag):]
}

func (l *lexer) wordLen() int {
	n := 1
	for n < len(l.rest) && wordByte(l.rest[n]) {
		n++
	}
	return n
}

func (l *lexer) consume(n int) string {
	word := strings.ToLower(l.rest[:n])
	l.rest = l.rest[n:]
	return word
}

func wordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func wordByte(c byte) bool { return wordStart(c) || c >= '0' && c <= '9' || c == '$' }
