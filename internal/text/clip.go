package text

import "strings"

const maxShown = 80

// Clip shortens a value for an error: to at most 80 bytes, followed by "..." if it was longer.
func Clip(value string) string {
	if len(value) <= maxShown {
		return value
	}
	return strings.ToValidUTF8(value[:maxShown], "") + "..."
}
