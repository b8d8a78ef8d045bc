package archtest

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxTrackedSize is the maximum size of a tracked file, in bytes. The largest files are OpenAPI
// documents and dashboards.
const maxTrackedSize = 128 << 10

// checkTracked returns the problems of a tracked file. It must be text, and small. A program that
// was built into the tree is neither.
func checkTracked(name string, content []byte) []string {
	var broken []string
	if len(content) > maxTrackedSize {
		broken = append(broken, fmt.Sprintf("%s: has %d bytes, more than %d", name, len(content), maxTrackedSize))
	}
	if bytes.IndexByte(content, 0) >= 0 || !utf8.Valid(content) {
		broken = append(broken, name+": is binary; only text files are tracked")
	}
	return broken
}
