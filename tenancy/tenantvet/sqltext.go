package tenantvet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"slices"

	"golang.org/x/tools/go/analysis"
)

const (
	sqlName = "tenantsql"

	defaultSchemas = "tenant_[0-9]+"
)

// newSQL returns the analyzer of SQL text.
func newSQL() *analysis.Analyzer {
	schemas := schemasFlag{re: regexp.MustCompile("^(?:" + defaultSchemas + ")$"), text: defaultSchemas}
	r := newRule(sqlName, "report SQL that changes its scope or names a tenant's schema\n\n"+
		"The context of a statement sets its scope. SET and set_config change it, and a qualified name bypasses it.",
		func(p *pass, file *ast.File) { checkSQL(p, file, schemas.re) })
	r.analyzer.Flags.Var(&schemas, "schemas", "the regular expression that the schemas of tenants match, as a whole")
	return r.analyzer
}

// schemasFlag is a flag with a regular expression that must match whole names.
type schemasFlag struct {
	re   *regexp.Regexp
	text string
}

func (f *schemasFlag) String() string { return f.text }

func (f *schemasFlag) Set(text string) error {
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return err
	}
	f.re, f.text = re, text
	return nil
}

// sqlMethods are methods whose first string is SQL.
var sqlMethods = []string{
	"Exec", "Query", "QueryRow", "Queue", "Prepare", "ExecParams",
	"ExecContext", "QueryContext", "QueryRowContext", "PrepareContext",
}

func checkSQL(p *pass, file *ast.File, schemas *regexp.Regexp) {
	for _, decl := range file.Decls {
		s := &sqlText{pass: p, assigned: assignments(p.TypesInfo, decl)}
		for n := range ast.Preorder(decl) {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				continue
			}
			if arg := s.argument(call); arg != nil {
				for _, what := range findings(s.text(arg, nil), schemas) {
					p.report(arg, "SQL %s: leave that to the context", what)
				}
			}
		}
	}
}

// sqlText reads the SQL text in one declaration.
type sqlText struct {
	*pass
	assigned map[types.Object][]ast.Expr
}

// argument returns the argument of a call that is SQL, or nil. It goes by the name of the method
// and a string parameter, whatever the receiver is: code generators have interfaces of their own.
func (s *sqlText) argument(call *ast.CallExpr) ast.Expr {
	fn := callee(s.TypesInfo, call)
	if fn == nil || receiver(s.TypesInfo, call) == nil || !slices.Contains(sqlMethods, fn.Name()) {
		return nil
	}
	params := fn.Signature().Params()
	for i := range min(params.Len(), len(call.Args), 3) {
		if basic, ok := params.At(i).Type().Underlying().(*types.Basic); ok && basic.Kind() == types.String {
			if fn.Name() == "Prepare" && i+1 < params.Len() && i+1 < len(call.Args) && isString(params.At(i+1).Type()) {
				return call.Args[i+1] // the first is the name of the statement
			}
			return call.Args[i]
		}
	}
	return nil
}

func isString(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Kind() == types.String
}

// hole replaces a part of a text that is known only at run time. It continues a name, as in
// "tenant_" + id.
const hole = "0"

var verb = regexp.MustCompile(`%[-+# 0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z]`)

// text returns the SQL text of an expression, with hole for each part that is not known.
func (s *sqlText) text(e ast.Expr, seen []types.Object) string {
	e = ast.Unparen(e)
	if v := s.TypesInfo.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v)
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return s.text(e.X, seen) + s.text(e.Y, seen)
		}
	case *ast.CallExpr:
		if isFunc(callee(s.TypesInfo, e), "fmt", "Sprintf") && len(e.Args) > 0 {
			return verb.ReplaceAllString(s.text(e.Args[0], seen), hole)
		}
	case *ast.Ident:
		return s.variable(s.TypesInfo.ObjectOf(e), seen)
	}
	return hole
}

// variable returns the texts of all assignments to a local variable, each as a statement.
func (s *sqlText) variable(obj types.Object, seen []types.Object) string {
	if obj == nil || len(s.assigned[obj]) == 0 || slices.Contains(seen, obj) {
		return hole
	}
	var all string
	for i, from := range s.assigned[obj] {
		if i > 0 {
			all += ";"
		}
		all += s.text(from, append(seen, obj))
	}
	return all
}
