package tenantvet

import (
	"go/ast"
	"path"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzers returns new copies of the analyzers of this package, so that the caller may set their
// flags. They need no facts and no other analyzer, and may run concurrently.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{newSwitches(), newPools(), newSQL(), newContexts(), newAllowances()}
}

// rule holds the parts that all analyzers share: the flags that say which packages and files to
// skip.
type rule struct {
	analyzer *analysis.Analyzer
	allow    string // -allow: patterns of packages, comma-separated
	tests    bool   // -tests
}

// newRule returns a rule whose analyzer calls check for each file that is not skipped.
func newRule(name, doc string, check func(p *pass, file *ast.File)) *rule {
	r := &rule{
		analyzer: &analysis.Analyzer{Name: name, Doc: doc, URL: "https://pkg.go.dev/" + library + "/tenancy/tenantvet"},
	}
	r.analyzer.Flags.StringVar(
		&r.allow,
		"allow",
		"",
		"packages to leave alone: import paths, comma-separated, with ... for all below",
	)
	r.analyzer.Flags.BoolVar(&r.tests, "tests", false, "look at _test.go files too")
	r.analyzer.Run = func(ap *analysis.Pass) (any, error) {
		if matches(r.allow, packagePath(ap)) {
			return nil, nil
		}
		for _, file := range ap.Files {
			if r.tests || !strings.HasSuffix(ap.Fset.Position(file.FileStart).Filename, "_test.go") {
				p := &pass{Pass: ap, allowances: allowancesOf(ap.Fset, file, name)}
				check(p, file)
				p.reportUnused()
			}
		}
		return nil, nil
	}
	return r
}

// pass is an analysis of one file.
type pass struct {
	*analysis.Pass
	allowances []*allowance
}

// report reports a diagnostic at a node, unless an allowance covers its line.
func (p *pass) report(at ast.Node, format string, args ...any) {
	line := p.Fset.Position(at.Pos()).Line
	for _, a := range p.allowances {
		if a.from <= line && line <= a.to {
			a.used = true
			return
		}
	}
	p.ReportRangef(at, format, args...)
}

func (p *pass) reportUnused() {
	for _, a := range p.allowances {
		if !a.used {
			p.Reportf(a.pos, "this allowance of %s allows nothing", p.Analyzer.Name)
		}
	}
}

// packagePath returns the import path of the package under analysis. Its internal and external
// tests have the same path.
func packagePath(p *analysis.Pass) string {
	name, _, _ := strings.Cut(p.Pkg.Path(), " [")
	return strings.TrimSuffix(name, "_test")
}

// matches reports whether one of the comma-separated patterns matches the package pkg.
func matches(patterns, pkg string) bool {
	for pattern := range strings.SplitSeq(patterns, ",") {
		pattern = strings.TrimSpace(pattern)
		parent, below := strings.CutSuffix(pattern, "/...")
		if pattern != "" && (pkg == path.Clean(parent) || below && strings.HasPrefix(pkg, parent+"/")) {
			return true
		}
	}
	return false
}
