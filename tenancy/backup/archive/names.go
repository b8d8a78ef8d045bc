package archive

import (
	"fmt"
	"strings"
)

// Entries that are not parts of tables.
const (
	headerEntry    = "header.json"
	manifestEntry  = "manifest.json"
	signatureEntry = "manifest.sig"
)

// tableDir returns the directory of a table's parts. Lower-case letters, digits, _ and - are kept,
// and any other byte becomes %XX. So a name is a single path element on every file system, and
// names that differ only in case stay distinct.
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

// partEntry returns the name of a part. Parts are numbered from 1.
func partEntry(table string, part int) string {
	return fmt.Sprintf("%s/%06d.csv.zst", tableDir(table), part)
}
