package archtest

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]*`")
	link      = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)
	heading   = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// checkLinks finds links in the Markdown file name to files, directories and headings that do not
// exist. The content of each file is in files.
func checkLinks(name string, files map[string][]byte) (broken []string) {
	for _, m := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(files[name]), ""), -1) {
		target, anchor := m[1], strings.TrimPrefix(m[2], "#")
		if strings.Contains(target, ":") {
			continue // another site
		}
		to := name
		if target != "" {
			to = path.Join(path.Dir(name), target)
		}
		content, isFile := files[to]
		switch {
		case !isFile && !isDirectory(to, files):
			broken = append(broken, fmt.Sprintf("%s: the link %s leads nowhere", name, target))
		case anchor != "" && path.Ext(to) == ".md" && !hasHeading(content, anchor):
			broken = append(broken, fmt.Sprintf("%s: %s has no heading #%s", name, to, anchor))
		}
	}
	return broken
}

func isDirectory(name string, files map[string][]byte) bool {
	for file := range files {
		if name == "." || strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// hasHeading reports whether a page has a heading with the anchor that GitHub gives it.
func hasHeading(content []byte, anchor string) bool {
	for _, m := range heading.FindAllStringSubmatch(string(content), -1) {
		text := notAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(text, " ", "-") == anchor {
			return true
		}
	}
	return false
}
