package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
)

// checkPackageComments finds packages without a package comment in doc.go, comments in other files,
// and comments that are too long.
func checkPackageComments(files []file) (broken []string) {
	introduced := map[string]bool{} // by directory
	for _, f := range files {
		if f.test() {
			continue
		}
		comment := f.syntax.Doc
		introduced[f.dir()] = introduced[f.dir()] || f.isDoc() && comment != nil
		if comment == nil {
			continue
		}
		if !f.isDoc() {
			broken = append(
				broken,
				fmt.Sprintf("%s: has a package comment: move it to doc.go", f.path),
			)
		}
		if n := f.line(comment.End()) - f.line(comment.Pos()) + 1; n > maxDocLines {
			broken = append(
				broken,
				fmt.Sprintf("%s: the package comment has %d lines, more than %d: move details to a Markdown file",
					f.path, n, maxDocLines),
			)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(introduced)) {
		if !introduced[dir] {
			broken = append(
				broken,
				fmt.Sprintf("%s: no package comment in doc.go: say there what the package is for", dir),
			)
		}
	}
	return broken
}

// checkExportedDocs finds exported identifiers of public packages that have no comment.
func checkExportedDocs(files []file) (broken []string) {
	for _, f := range files {
		if f.test() || !f.public() {
			continue
		}
		for _, name := range undocumented(f.syntax) {
			broken = append(
				broken,
				fmt.Sprintf("%s:%d: %s has no doc comment: every exported name needs one",
					f.path, f.line(name.Pos()), name.Name),
			)
		}
	}
	return broken
}

// undocumented returns the exported top-level names of syntax that have no comment. A comment on a
// parenthesised group of constants or variables covers all of them. A type always needs its own.
func undocumented(syntax *ast.File) (names []*ast.Ident) {
	for _, decl := range syntax.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil && decl.Doc == nil {
				names = append(names, decl.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Doc == nil && (decl.Doc == nil || decl.Lparen.IsValid()) {
						names = append(names, spec.Name)
					}
				case *ast.ValueSpec:
					if spec.Doc == nil && spec.Comment == nil && decl.Doc == nil {
						names = append(names, spec.Names...)
					}
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(name *ast.Ident) bool { return !token.IsExported(name.Name) })
}
