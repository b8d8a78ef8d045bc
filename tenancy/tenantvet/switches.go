package tenantvet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

const switchesName = "tenantswitch"

// newSwitches returns the analyzer that finds explicit choices of a schema.
func newSwitches() *analysis.Analyzer {
	return newRule(switchesName, "report explicit choices of a schema outside of the allowed packages\n\n"+
		"The middleware selects the schema of a request. Code that selects another one may access another tenant.",
		checkSwitches).analyzer
}

func checkSwitches(p *pass, file *ast.File) {
	for n := range ast.Preorder(file) {
		id, ok := n.(*ast.Ident)
		if !ok {
			continue
		}
		fn, _ := p.TypesInfo.Uses[id].(*types.Func) // any use, also without a call
		if isFunc(fn, schemactx, "WithSchema", "WithPublic", "NewContext", "NewPublicContext") ||
			isFunc(fn, tenancy, "NewContext", "NewPublicContext") {
			p.report(
				id,
				"%s.%s selects a schema by name: only packages in -allow may do that",
				fn.Pkg().Name(),
				fn.Name(),
			)
		}
	}
}
