package tenantvet

import (
	"go/ast"
	"go/types"
)

// The import paths of the packages whose identifiers the analyzers look for.
const (
	library     = "github.com/oryne/pgtenant"
	schemactx   = library + "/schemactx"
	tenancy     = library + "/tenancy"
	tenanthttp  = tenancy + "/tenanthttp"
	tenanttoken = tenancy + "/tenanttoken"
	pgx         = "github.com/jackc/pgx/v5"
	pgxpool     = pgx + "/pgxpool"
	pgconn      = pgx + "/pgconn"
)

// isNamed reports whether t, or the type that it points to, has one of the names in pkg.
func isNamed(t types.Type, pkg string, names ...string) bool {
	if t == nil {
		return false
	}
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || named.Obj().Pkg().Path() != pkg {
		return false
	}
	for _, name := range names {
		if named.Obj().Name() == name {
			return true
		}
	}
	return false
}

// isScoped reports whether t is a handle that runs statements in the schema of their context.
func isScoped(t types.Type) bool { return isNamed(t, schemactx, "DB", "Tx") }

// isRaw reports whether t is a handle that runs statements without a scope.
func isRaw(t types.Type) bool {
	return isNamed(t, pgxpool, "Pool", "Conn", "Tx") || isNamed(t, pgx, "Conn") || isNamed(t, pgconn, "PgConn") ||
		isNamed(t, "database/sql", "DB", "Conn")
}

// isContext reports whether t is context.Context or has its methods, as the contexts of some web
// frameworks do.
func isContext(t types.Type) bool {
	if isNamed(t, "context", "Context") {
		return true
	}
	methods := types.NewMethodSet(t)
	for _, name := range []string{"Deadline", "Done", "Err", "Value"} {
		if methods.Lookup(nil, name) == nil {
			return false
		}
	}
	return true
}

// hasRequest reports whether t has a method Request that returns an *http.Request, as the contexts
// of other web frameworks do.
func hasRequest(t types.Type) bool {
	method := types.NewMethodSet(t).Lookup(nil, "Request")
	if method == nil {
		return false
	}
	results := method.Obj().(*types.Func).Signature().Results()
	return results.Len() == 1 && isNamed(results.At(0).Type(), "net/http", "Request")
}

// callee returns the function or method that is called, or nil if the call does not name one.
func callee(info *types.Info, call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch f := fun.(type) {
	case *ast.IndexExpr: // a generic function with type arguments
		fun = ast.Unparen(f.X)
	case *ast.IndexListExpr:
		fun = ast.Unparen(f.X)
	}
	var id *ast.Ident
	switch f := fun.(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	default:
		return nil
	}
	fn, _ := info.Uses[id].(*types.Func)
	return fn
}

// isFunc reports whether fn is a function, not a method, of pkg with one of the names.
func isFunc(fn *types.Func, pkg string, names ...string) bool {
	if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != pkg || fn.Signature().Recv() != nil {
		return false
	}
	for _, name := range names {
		if fn.Name() == name {
			return true
		}
	}
	return false
}

// receiver returns the type of x in a call of x.Method, or nil for any other call.
func receiver(info *types.Info, call *ast.CallExpr) types.Type {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || info.Selections[sel] == nil {
		return nil
	}
	return info.TypeOf(sel.X)
}
