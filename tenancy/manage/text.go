package manage

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes text safe to print on a terminal. Names, paths and messages come from tenants and
// servers. They must not move the cursor, change colours or reverse the direction of writing.
// Characters that cannot be printed become escapes.
func clean(s string) string {
	if !strings.ContainsFunc(s, unsafeRune) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !unsafeRune(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// unsafeRune reports whether r is a control or format character, such as a mark of the direction of
// writing.
func unsafeRune(r rune) bool {
	return r == utf8.RuneError || r != ' ' && !unicode.IsPrint(r)
}

var (
	urlPassword     = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://[^\s:@/?#]*):\S*@`)
	keywordPassword = regexp.MustCompile(`(?i)\b((?:pg)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&;,]+)`)
)

// redact removes passwords from text that may hold a database URL or connection settings.
func redact(s string) string {
	s = urlPassword.ReplaceAllString(s, "$1:xxxxx@")
	return keywordPassword.ReplaceAllString(s, "${1}xxxxx")
}

// sentence returns an error as one line for people, without passwords.
func sentence(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return clean(redact(strings.Join(lines, "; ")))
}

// sentences returns one line for each error that err joins, or one line for err.
func sentences(err error) []string {
	//nolint:errorlint // only the outermost error: a wrapped one has text around it
	if coded, ok := err.(*codeError); ok && coded.err != nil {
		return sentences(coded.err)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(joined.Unwrap()...).Error() {
		return []string{sentence(err)}
	}
	var lines []string
	for _, e := range joined.Unwrap() {
		lines = append(lines, sentences(e)...)
	}
	return lines
}

// helpWidth is the width of help texts, in columns.
const helpWidth = 78

// fill wraps each paragraph of text at width.
func fill(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, paragraph := range paragraphs {
		var b strings.Builder
		column := 0
		for _, word := range strings.Fields(paragraph) {
			n := utf8.RuneCountInString(word)
			switch {
			case column == 0:
			case column+1+n > width:
				b.WriteByte('\n')
				column = 0
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
		paragraphs[i] = b.String()
	}
	return strings.Join(paragraphs, "\n\n")
}
