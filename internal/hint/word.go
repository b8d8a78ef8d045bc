package hint

import (
	"regexp"
	"strings"
)

// Command returns a command line. It quotes each word for a POSIX shell if needed.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote quotes a word with double quotes, because error messages often put a hint in single quotes.
// A word with "!" gets single quotes, because an interactive shell expands "!" in double quotes.
func quote(word string) string {
	switch {
	case plainWord.MatchString(word):
		return word
	case strings.Contains(word, "!"):
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(word) + `"`
}
