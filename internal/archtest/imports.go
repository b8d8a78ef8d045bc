package archtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// checkTable finds the rows that allow an import of their own or a higher row.
func checkTable(table []layer) (broken []string) {
	for i, row := range table {
		for _, allowed := range row.imports {
			below := slices.ContainsFunc(table[i+1:], func(lower layer) bool { return withinAny(allowed, lower.packages) })
			if !below {
				broken = append(broken, fmt.Sprintf("the table lets %s import %s, which is not in a lower row: imports only go down",
					strings.Join(row.packages, ", "), allowed))
			}
		}
	}
	return broken
}

// checkLayers finds the imports that table does not allow, and the packages that it does not have.
func checkLayers(table []layer, files []file) (broken []string) {
	for _, f := range files {
		if f.test() {
			continue // a test may look at its package from above
		}
		row := slices.IndexFunc(table, func(row layer) bool { return withinAny(f.dir(), row.packages) })
		if row < 0 {
			broken = append(broken, fmt.Sprintf("%s: package %s is not in the table of layers: give it a place there, as nothing else "+
				"says what may import it", f.path, f.dir()))
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
	if !strings.Contains(host, ".") || l.outside == nil { // the standard library's paths start with no host
		return true
	}
	return slices.ContainsFunc(l.outside, func(allowed string) bool {
		return path == allowed || strings.HasPrefix(path, allowed+"/")
	})
}

// checkTestOnly finds the imports of test packages in code that users link.
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
				broken = append(broken, fmt.Sprintf("%s:%d: imports %s outside of a test: test code must not be linked into users' binaries",
					f.path, f.line(spec.Pos()), imported))
			}
		}
	}
	return broken
}

// importPath unquotes the literal of an import, which the parser has found to be a string.
func importPath(literal string) string {
	path, err := strconv.Unquote(literal)
	if err != nil {
		panic("archtest: the parser let the import " + literal + " pass")
	}
	return path
}
