package tenantvet

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

const poolsName = "tenantpool"

// rawMethods are methods that run SQL or return a value that does.
var rawMethods = []string{
	"Exec", "Query", "QueryRow", "SendBatch", "CopyFrom", "CopyTo", "Begin", "BeginTx", "BeginFunc", "Prepare",
	"Acquire", "AcquireFunc", "AcquireAllIdle", "ExecParams", "ExecPrepared", "ExecBatch", "Conn",
	"ExecContext", "QueryContext", "QueryRowContext", "PrepareContext",
}

// newPools returns the analyzer that finds SQL on raw pools where a scoped handle is available.
func newPools() *analysis.Analyzer {
	return newRule(poolsName, "report SQL on a raw pool or connection where the function can reach a schemactx.DB\n\n"+
		"A statement on the pool runs outside of every scope: in no tenant's schema, with the login's rights.",
		checkPools).analyzer
}

func checkPools(p *pass, file *ast.File) {
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil || !hasScoped(p, fn) {
			continue
		}
		for n := range ast.Preorder(fn.Body) {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				continue
			}
			raw := rawHandle(p.TypesInfo, call)
			if raw == nil {
				continue
			}
			p.report(call, "SQL on a raw %s runs outside of every scope: use the schemactx.DB",
				types.TypeString(raw, (*types.Package).Name))
		}
	}
}

// rawHandle returns the type of the raw handle on which call runs SQL, or nil. The functions
// pgx.BeginFunc and BeginTxFunc take the handle as an argument.
func rawHandle(info *types.Info, call *ast.CallExpr) types.Type {
	fn := callee(info, call)
	if isFunc(fn, pgx, "BeginFunc", "BeginTxFunc") && len(call.Args) > 1 {
		if t := info.TypeOf(call.Args[1]); isRaw(t) {
			return t
		}
	}
	if t := receiver(info, call); fn != nil && isRaw(t) && slices.Contains(rawMethods, fn.Name()) {
		return t
	}
	return nil
}

// hasScoped reports whether a function has a schemactx.DB or Tx: in its receiver, as a parameter,
// or as a variable that it uses.
func hasScoped(p *pass, fn *ast.FuncDecl) bool {
	obj, ok := p.TypesInfo.Defs[fn.Name].(*types.Func)
	if !ok {
		return false
	}
	sig := obj.Signature()
	if recv := sig.Recv(); recv != nil && holdsScoped(recv.Type()) {
		return true
	}
	for v := range sig.Params().Variables() {
		if isScoped(v.Type()) {
			return true
		}
	}
	for n := range ast.Preorder(fn.Body) {
		if id, ok := n.(*ast.Ident); ok {
			if v, ok := p.TypesInfo.ObjectOf(id).(*types.Var); ok && isScoped(v.Type()) {
				return true
			}
		}
	}
	return false
}

// holdsScoped reports whether a receiver is a scoped handle or a struct with a field that is one.
func holdsScoped(t types.Type) bool {
	if ptr, ok := types.Unalias(t).(*types.Pointer); ok {
		t = ptr.Elem()
	}
	st, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for field := range st.Fields() {
		if isScoped(field.Type()) {
			return true
		}
	}
	return false
}
