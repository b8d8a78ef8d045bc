package archive

import (
	"fmt"
	"strings"
)

// The entries that are not parts of tables.
const (
	headerEntry    = "header.json"
	manifestEntry  = "manifest.json"
	signatureEntry = "manifest.sig"
)

// tableDir returns the directory of a table's parts. Lower-case letters, digits, _ and - stand for themselves and any other
// byte is %XX: a name is a single path element on every file system, and two names differ where case does not.
func tableDir(table string) string {
	var b strings.Builder
	b.WriteString("tables/")
	for i := range len(table) {
		c := table[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// partEntry returns the name of a part, which are counted from 1.
func partEntry(table string, part int) string {
	return fmt.Sprintf("%s/%06d.csv.zst", tableDir(table), part)
}
