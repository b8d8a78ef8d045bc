package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
)

// registryTable matches a table of the registry that is qualified with the schema public.
var registryTable = regexp.MustCompile(
	`\bpublic"?\.("?(tenants|domains|platform_users|schema_names|side_schemas|drop_requests)\b` +
		`|"?(registry|audit|backup)_)`,
)

// checkRegistrySQL finds string literals that qualify a table of the registry with the schema
// public. The schema is configurable: package registrydb replaces the placeholder {registry} by it.
func checkRegistrySQL(files []file) (broken []string) {
	for _, f := range files {
		if f.test() || !within(f.dir(), "tenancy/...") && f.dir() != "tenancy" && f.dir() != "resolver" {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if ok && text.Kind == token.STRING && registryTable.MatchString(text.Value) {
				broken = append(broken, fmt.Sprintf("%s:%d: names a table of the registry with the schema public: write "+
					"{registry} for the schema, and run the statement through internal/registrydb", f.path, f.line(n.Pos())))
			}
			return true
		})
	}
	return broken
}
