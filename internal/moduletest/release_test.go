package moduletest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// packages are what a program with tenants imports of the root module.
var packages = []string{
	treeModule + "/schemactx", treeModule + "/schemactx/admin", treeModule + "/tenancy",
	treeModule + "/tenancy/tenanthttp", treeModule + "/resolver", treeModule + "/migrate",
}

// importable are the modules that users import, each with the packages that they import.
var importable = map[string][]string{
	treeModule:          packages,
	treeModule + "/erp": {treeModule + "/erp"},
	treeModule + "/tenancy/backup": {
		treeModule + "/tenancy/backup", treeModule + "/tenancy/backup/storetest",
	},
	treeModule + "/tenancy/manage":               {treeModule + "/tenancy/manage"},
	treeModule + "/tenancy/metrics":              {treeModule + "/tenancy/metrics"},
	treeModule + "/tenancy/backup/blobstore":     {treeModule + "/tenancy/backup/blobstore"},
	treeModule + "/tenancy/metrics/oteltrace":    {treeModule + "/tenancy/metrics/oteltrace"},
	treeModule + "/tenancy/ratelimit/redislimit": {treeModule + "/tenancy/ratelimit/redislimit"},
	treeModule + "/tenancy/tenantvet":            {treeModule + "/tenancy/tenantvet"},
}

// A release is what a module proxy serves: replace directives and go.work have no effect there.
// Every import must be found there. Where CI is set, the program with the root module is compiled
// too. What the other modules require, such as the SDKs of clouds, takes minutes to compile.
func TestAProgramBuildsAgainstAModuleProxy(t *testing.T) {
	t.Parallel()
	all := modules(t)
	proxy := makeProxy(t, all)
	for required, imports := range importable {
		t.Run(strings.TrimPrefix(required, treeModule+"/"), func(t *testing.T) {
			t.Parallel()
			c := newConsumer(t, proxy, all, []string{required}, imports...)
			c.run(t, "list", "-deps", "./...")
			if os.Getenv("CI") != "" && required == treeModule {
				c.run(t, "build", "-trimpath", "./...") // with -trimpath the build cache is used
			}
			got := c.run(t, "list", "-m", "-f", "{{.Version}}", required)
			assert.Equal(t, version, strings.TrimSpace(got))
		})
	}
}

// modulesOfAUser are the modules that a program gets: what pgx requires (testify among it), and
// golang.org/x.
var modulesOfAUser = []string{
	treeModule,
	"github.com/jackc/pgx/v5", "github.com/jackc/pgpassfile", "github.com/jackc/pgservicefile",
	"github.com/jackc/puddle/v2",
	"github.com/stretchr/testify", "github.com/stretchr/objx", "github.com/davecgh/go-spew",
	"github.com/pmezard/go-difflib", "github.com/kr/pretty", "go.yaml.in/yaml/v3", "gopkg.in/yaml.v3",
	"gopkg.in/check.v1",
	"golang.org/x/crypto", "golang.org/x/mod", "golang.org/x/net", "golang.org/x/sync", "golang.org/x/sys",
	"golang.org/x/term", "golang.org/x/text", "golang.org/x/time", "golang.org/x/tools",
}

func TestAUserGetsNoModulesButThoseOfPgx(t *testing.T) {
	t.Parallel()
	all := modules(t)
	c := newConsumer(t, makeProxy(t, all), all, []string{treeModule}, packages...)
	c.run(t, "list", "-deps", "./...") // completes go.mod
	got := strings.Fields(c.run(t, "list", "-m", "-f", "{{if not .Main}}{{.Path}}{{end}}", "all"))
	assert.ElementsMatch(t, modulesOfAUser, got,
		"a module that is new here reaches every user: can the package that needs it be in a module of its own?")
}

// modFile is what go mod edit -json prints.
type modFile struct {
	Module  struct{ Path string }
	Require []struct{ Path, Version string }
	Replace []struct {
		Old struct{ Path string }
		New struct{ Path string }
	}
}

// The modules of the tree require each other in one version that is released, and use the tree
// where they are built without go.work.
func TestModulesRequireAReleaseAndReplaceItByTheTree(t *testing.T) {
	t.Parallel()
	for _, m := range modules(t) {
		out, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(rootDir, m.dir, "go.mod")).Output()
		require.NoError(t, err)
		var mod modFile
		require.NoError(t, json.Unmarshal(out, &mod))
		assert.Equal(t, m.path, mod.Module.Path, "%s/go.mod: module", m.dir)
		replaced := make(map[string]string)
		for _, r := range mod.Replace {
			replaced[r.Old.Path] = filepath.ToSlash(filepath.Join(m.dir, r.New.Path))
		}
		for _, r := range mod.Require {
			if r.Path != treeModule && !strings.HasPrefix(r.Path, treeModule+"/") {
				continue
			}
			assert.Equal(t, version, r.Version, "%s/go.mod: require %s", m.dir, r.Path)
			assert.Equal(t, strings.TrimPrefix(strings.TrimPrefix(r.Path, treeModule), "/"),
				strings.TrimPrefix(replaced[r.Path], "."), "%s/go.mod: replace %s", m.dir, r.Path)
		}
	}
}
