package hint

import (
	"regexp"
	"strings"
)

// Command returns a command line of words, each quoted for a POSIX shell where it needs that.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote prefers double quotes: a hint often stands in single ones. In double quotes an interactive
// shell replaces "!".
func quote(word string) string {
	switch {
	case plainWord.MatchString(word):
		return word
	case strings.Contains(word, "!"):
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(word) + `"`
}
