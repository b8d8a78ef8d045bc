package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
)

// registryTable is a table of the registry that is named with the schema public.
var registryTable = regexp.MustCompile(
	`\bpublic"?\.("?(tenants|domains|platform_users|schema_names|side_schemas|drop_requests)\b|"?(registry|audit|backup)_)`)

// checkRegistrySQL finds texts that name a table of the registry with the schema public. The schema is
// configured: package registrydb puts it in the place of the mark {registry}.
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
