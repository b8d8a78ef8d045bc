package tenantvet

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

const contextsName = "tenantctx"

// newContexts returns the analyzer that finds contexts without the tenant of the function's
// context.
func newContexts() *analysis.Analyzer {
	return newRule(contextsName, "report context.Background() in scoped calls of functions that have a context\n\n"+
		"A new context has no tenant. Work that outlives the request uses context.WithoutCancel, which keeps the tenant.",
		checkContexts).analyzer
}

func checkContexts(p *pass, file *ast.File) {
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			c := &contexts{pass: p, assigned: assignments(p.TypesInfo, fn.Body)}
			c.function(fn.Type, fn.Body, false)
		}
	}
}

// contexts analyzes one function declaration.
type contexts struct {
	*pass
	assigned map[types.Object][]ast.Expr
}

// function analyzes a function. has says whether an enclosing function has a context.
func (c *contexts) function(sig *ast.FuncType, body *ast.BlockStmt, has bool) {
	for _, param := range sig.Params.List {
		t := c.TypesInfo.TypeOf(param.Type)
		has = has || isContext(t) || isNamed(t, "net/http", "Request") || hasRequest(t)
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			c.function(n.Type, n.Body, has)
			return false
		case *ast.CallExpr:
			if has {
				c.call(n)
			}
		}
		return true
	})
}

func (c *contexts) call(call *ast.CallExpr) {
	if !c.scoped(call) {
		return
	}
	for _, arg := range call.Args {
		if isNamed(c.TypesInfo.TypeOf(arg), "context", "Context") && c.lost(arg, nil) {
			c.report(
				arg,
				"this context has no tenant: pass the caller's, or context.WithoutCancel of it",
			)
		}
	}
}

// scoped reports whether a call works in the schema of the context that it gets.
func (c *contexts) scoped(call *ast.CallExpr) bool {
	fn := callee(c.TypesInfo, call)
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	if fn.Signature().Recv() == nil && readsContext(fn.Pkg().Path()) {
		return !isFunc(fn, schemactx, "FromContext") && !passesOn(fn)
	}
	if t := receiver(c.TypesInfo, call); isScoped(t) || isNamed(t, pgx, "Tx") {
		return fn.Name() != "Rollback" && fn.Name() != "Connect" // these need no schema
	}
	for _, arg := range call.Args {
		if isNamed(c.TypesInfo.TypeOf(arg), schemactx, "DB") {
			return true
		}
	}
	return false
}

// derives reports whether fn derives a context from its first argument, and is not itself reported
// for a new context.
func derives(fn *types.Func) bool {
	if fn == nil || fn.Pkg() == nil || fn.Signature().Recv() != nil {
		return false
	}
	switch path := fn.Pkg().Path(); {
	case path == "context", path == "os/signal":
		return true
	case readsContext(path):
		return passesOn(fn)
	}
	return false
}

// readsContext reports whether the functions of a package work for the tenant of the context that
// they get.
func readsContext(path string) bool {
	return slices.Contains([]string{schemactx, tenancy, tenanthttp, tenanttoken}, path)
}

// passesOn reports whether fn returns a context that it derives from its argument. Whether that is
// an error depends on the call that uses the result.
func passesOn(fn *types.Func) bool {
	results := fn.Signature().Results()
	return results.Len() > 0 && isNamed(results.At(0).Type(), "context", "Context") &&
		!slices.Contains([]string{"NewContext", "NewPublicContext"}, fn.Name())
}

// lost reports whether an expression is a context that is not derived from one of the function's.
// seen are the variables that have been followed, to end a cycle.
func (c *contexts) lost(e ast.Expr, seen []types.Object) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		fn := callee(c.TypesInfo, e)
		if isFunc(fn, "context", "Background", "TODO") {
			return true
		}
		return derives(fn) && len(e.Args) > 0 && c.lost(e.Args[0], seen)
	case *ast.Ident:
		obj := c.TypesInfo.ObjectOf(e)
		if obj == nil || slices.Contains(seen, obj) {
			return false
		}
		return slices.ContainsFunc(c.assigned[obj], func(from ast.Expr) bool { return c.lost(from, append(seen, obj)) })
	}
	return false
}
