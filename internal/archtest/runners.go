package archtest

import (
	"fmt"
	"go/ast"
	"slices"
)

// checkTestRunners finds code that runs tests, examples or benchmarks itself. With -v and -json
// such a run prints its events into the output of the outer run.
func checkTestRunners(files []file) (broken []string) {
	runners := []string{"Main", "MainStart", "RunBenchmarks", "RunExamples", "RunTests"}
	for _, f := range files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(runners, selector.Sel.Name) {
				return true
			}
			if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "testing" {
				broken = append(broken, fmt.Sprintf("%s:%d: calls testing.%s: only go test may run tests; "+
					"tests that run tests break go test -v and go test -json", f.path, f.line(n.Pos()), selector.Sel.Name))
			}
			return true
		})
	}
	return broken
}
