package tenantvet

import (
	"go/ast"
	"go/types"
)

// assignments returns the expressions that are assigned to each variable in body. For a call with
// several results, only the first variable gets an expression, which is the call.
func assignments(info *types.Info, body ast.Node) map[types.Object][]ast.Expr {
	found := make(map[types.Object][]ast.Expr)
	note := func(id *ast.Ident, e ast.Expr) {
		if obj := info.ObjectOf(id); obj != nil {
			found[obj] = append(found[obj], e)
		}
	}
	for n := range ast.Preorder(body) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if id, ok := left.(*ast.Ident); ok && i < len(n.Rhs) {
					note(id, n.Rhs[i])
				}
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				if i < len(n.Values) {
					note(id, n.Values[i])
				}
			}
		}
	}
	return found
}
