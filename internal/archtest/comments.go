package archtest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxComment is the maximum length of a line of comment, in characters. A tab counts as one. The
// linter lll limits all other lines.
const maxComment = 100

// checkCommentLines finds lines of comment in f that are too long. The content of the file is src.
// A comment behind code is not found: the limit of code holds for its line. Nor is a directive,
// which cannot be split.
func checkCommentLines(f file, src string) (broken []string) {
	lines := strings.Split(src, "\n")
	for _, group := range f.syntax.Comments {
		for _, comment := range group.List {
			first := f.line(comment.Pos())
			for i, line := range lines[first-1 : f.line(comment.End()-1)] {
				text := strings.TrimLeft(line, "\t ")
				behindCode := i == 0 && !strings.HasPrefix(text, "/")
				directive := strings.HasPrefix(text, "//go:") || strings.HasPrefix(text, "//nolint:")
				if n := utf8.RuneCountInString(line); n > maxComment && !behindCode && !directive {
					broken = append(broken, fmt.Sprintf("%s:%d: a line of comment has %d characters, at most %d are allowed",
						f.path, first+i, n, maxComment))
				}
			}
		}
	}
	return broken
}
