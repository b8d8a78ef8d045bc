package archtest

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// tree parses the module that these tests are in, and the other modules of go.work.
func tree(t *testing.T) []file {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(content), "module "+module+"\n"),
		"%s is not the root of %s: the rules would be checked against nothing", root, module)
	files, err := parseTree(os.DirFS(root))
	require.NoError(t, err)
	require.NotEmpty(t, files, "no Go file found")
	return files
}

func report(t *testing.T, broken []string) {
	t.Helper()
	for _, message := range broken {
		assert.Fail(t, message)
	}
}

func TestLayersAreInOrder(t *testing.T) {
	t.Parallel()
	report(t, checkTable(layers))
}

func TestImportsOnlyGoDown(t *testing.T) {
	t.Parallel()
	report(t, checkLayers(layers, tree(t)))
}

func TestTestCodeIsNotLinkedIntoUsersBinaries(t *testing.T) {
	t.Parallel()
	report(t, checkTestOnly(tree(t)))
}

func TestEveryPackageHasItsCommentInDocGo(t *testing.T) {
	t.Parallel()
	report(t, checkPackageComments(tree(t)))
}

func TestEverythingExportedIsDocumented(t *testing.T) {
	t.Parallel()
	report(t, checkExportedDocs(tree(t)))
}

func TestNoStatementNamesTheRegistrysSchemaByItself(t *testing.T) {
	t.Parallel()
	report(t, checkRegistrySQL(tree(t)))
}

func TestOnlyKnownDirectoriesAreAtTheTop(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	ignored, err := os.ReadFile(filepath.Join(root, ".gitignore")) // a README's reader creates some
	require.NoError(t, err)
	unversioned := strings.Fields(string(ignored))
	for _, entry := range entries {
		known := strings.HasPrefix(entry.Name(), ".") || slices.Contains(directories, entry.Name()) ||
			slices.Contains(unversioned, "/"+entry.Name()+"/")
		assert.True(t, known || !entry.IsDir(),
			"%s/: is not a known top-level directory: add it to the layers first", entry.Name())
	}
}

func TestGoTestAloneRunsTests(t *testing.T) {
	t.Parallel()
	report(t, checkTestRunners(tree(t)))
}

// A package is in the map of CONTRIBUTING.md by its path or by the last part of the path.
func TestTheMapHasEveryPackage(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	require.NoError(t, err)
	_, guide, found := bytes.Cut(guide, []byte("## Where to change what"))
	require.True(t, found)
	table, _, _ := bytes.Cut(guide, []byte("\n## "))
	directories := make(map[string]bool)
	for _, f := range tree(t) {
		directories[path.Dir(f.path)] = true
	}
	for directory := range directories {
		named := strings.Contains(string(table), "`"+directory+"`") ||
			strings.Contains(string(table), "`"+path.Base(directory)+"`")
		assert.True(t, named, "the map in CONTRIBUTING.md lacks %s", directory)
	}
}
