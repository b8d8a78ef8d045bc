package archtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// checkTable finds rows that allow an import from their own row or from a higher one.
func checkTable(table []layer) (broken []string) {
	for i, row := range table {
		for _, allowed := range row.imports {
			below := slices.ContainsFunc(table[i+1:], func(lower layer) bool { return withinAny(allowed, lower.packages) })
			if !below {
				broken = append(
					broken,
					fmt.Sprintf("the table lets %s import %s, which is not in a lower row: imports only go down",
						strings.Join(row.packages, ", "), allowed),
				)
			}
		}
	}
	return broken
}

// checkLayers finds imports that table does not allow, and packages that it does not name.
func checkLayers(table []layer, files []file) (broken []string) {
	for _, f := range files {
		if f.test() {
			continue // a test may import packages of higher rows
		}
		row := slices.IndexFunc(table, func(row layer) bool { return withinAny(f.dir(), row.packages) })
		if row < 0 {
			broken = append(
				broken,
				fmt.Sprintf("%s: package %s is not in the table of layers: add it to rules.go, "+
					"which decides what may import it", f.path, f.dir()),
			)
			continue
		}
		for _, spec := range f.syntax.Imports {
			imported := importPath(spec.Path.Value)
			if !table[row].allows(imported) {
				broken = append(broken, fmt.Sprintf("%s:%d: %s may not import %s: %s",
					f.path, f.line(spec.Pos()), f.dir(), imported, table[row].why))
			}
		}
	}
	return broken
}

// allows reports whether a package of the layer may import path.
func (l layer) allows(path string) bool {
	if ours, ok := strings.CutPrefix(path, module+"/"); ok {
		return withinAny(ours, l.imports)
	}
	host, _, _ := strings.Cut(path, "/")
	if !strings.Contains(host, ".") || l.outside == nil { // paths of the standard library have no host
		return true
	}
	return slices.ContainsFunc(l.outside, func(allowed string) bool {
		return path == allowed || strings.HasPrefix(path, allowed+"/")
	})
}

// checkTestOnly finds imports of test packages in code that users link.
func checkTestOnly(files []file) (broken []string) {
	for _, f := range files {
		if f.test() || withinAny(f.dir(), testCode) {
			continue
		}
		for _, spec := range f.syntax.Imports {
			imported := importPath(spec.Path.Value)
			if slices.ContainsFunc(testOnly, func(t string) bool {
				return imported == t || strings.HasSuffix(t, "/") && strings.HasPrefix(imported, t)
			}) {
				broken = append(
					broken,
					fmt.Sprintf("%s:%d: imports %s outside of a test: test code must not be linked into users' binaries",
						f.path, f.line(spec.Pos()), imported),
				)
			}
		}
	}
	return broken
}

// importPath unquotes the path of an import. The parser has checked that it is a string.
func importPath(literal string) string {
	path, err := strconv.Unquote(literal)
	if err != nil {
		panic("archtest: the parser let the import " + literal + " pass")
	}
	return path
}
