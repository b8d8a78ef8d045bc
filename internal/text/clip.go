package text

import "strings"

const maxShown = 80

// Clip returns what an error shows of a value that may be long: at most 80 bytes of it, and "..."
// if there is more.
func Clip(value string) string {
	if len(value) <= maxShown {
		return value
	}
	return strings.ToValidUTF8(value[:maxShown], "") + "..."
}
