package tenantvet

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

const allowPrefix = "//tenantvet:allow"

// allowance is a comment that silences one analyzer on a range of lines.
type allowance struct {
	name, reason string
	pos          token.Pos
	from, to     int // first and last line
	used         bool
}

// parseAllowance parses a comment. It returns false if the comment is not an allowance.
func parseAllowance(c *ast.Comment) (*allowance, bool) {
	rest, ok := strings.CutPrefix(c.Text, allowPrefix)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return nil, false
	}
	name, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return &allowance{name: name, reason: strings.TrimSpace(reason), pos: c.Pos()}, true
}

// allowancesOf returns the allowances of one analyzer in a file. It leaves out those without a
// reason.
func allowancesOf(fset *token.FileSet, file *ast.File, name string) (found []*allowance) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if a, ok := parseAllowance(c); ok && a.name == name && a.reason != "" {
				a.from = fset.Position(c.Pos()).Line
				a.to = fset.Position(group.End()).Line + 1 // the line below the whole comment
				if fn := functionOf(file, group); fn != nil {
					a.to = fset.Position(fn.End()).Line
				}
				found = append(found, a)
			}
		}
	}
	return found
}

// functionOf returns the function that a comment documents, or nil.
func functionOf(file *ast.File, doc *ast.CommentGroup) *ast.FuncDecl {
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Doc == doc {
			return fn
		}
	}
	return nil
}

// newAllowances returns the analyzer that checks the allowances themselves.
func newAllowances() *analysis.Analyzer {
	names := []string{switchesName, poolsName, sqlName, contextsName}
	r := newRule(
		"tenantallow",
		"report allowances of tenantvet that give no reason or name no analyzer",
		func(p *pass, file *ast.File) {
			for _, group := range file.Comments {
				for _, c := range group.List {
					switch a, ok := parseAllowance(c); {
					case !ok:
					case !slices.Contains(names, a.name):
						p.report(c, "%s: unknown analyzer %q: use one of %s", allowPrefix, a.name, strings.Join(names, ", "))
					case a.reason == "":
						p.report(c, "%s %s: the reason is missing", allowPrefix, a.name)
					}
				}
			}
		},
	)
	return r.analyzer
}
