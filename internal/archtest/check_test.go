package archtest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each check must be able to fail, so it gets an artificial tree that breaks its rule.

// madeUp parses the files of a tree in memory.
func madeUp(t *testing.T, sources map[string]string) (files []file) {
	t.Helper()
	for name, src := range sources {
		f, err := parse(name, []byte(src))
		require.NoError(t, err)
		files = append(files, f)
	}
	return files
}

// expect compares the messages of a check with the beginnings of the wanted messages, in any order.
func expect(t *testing.T, broken []string, want ...string) {
	t.Helper()
	slices.Sort(broken)
	slices.Sort(want)
	assert.True(t, slices.EqualFunc(broken, want, strings.HasPrefix),
		"the check found\n\t%s\nwant\n\t%s", strings.Join(broken, "\n\t"), strings.Join(want, "\n\t"))
}

var twoLayers = []layer{
	{packages: []string{"top/..."}, imports: []string{"base"}, why: "of this"},
	{packages: []string{"base"}, outside: []string{"github.com/jackc/pgx/v5"}, why: "of that"},
}

func TestLayersThatImportUpwardsAreFound(t *testing.T) {
	t.Parallel()
	expect(t, checkTable(twoLayers))
	expect(t, checkTable([]layer{twoLayers[1], twoLayers[0]}),
		"the table lets top/... import base, which is not in a lower row")
	expect(t, checkTable([]layer{{packages: []string{"base"}, imports: []string{"base"}}}),
		"the table lets base import base, which is not in a lower row")
}

func TestAnImportThatTheTableDoesNotAllowIsFound(t *testing.T) {
	t.Parallel()
	files := madeUp(t, map[string]string{
		"top/a/a.go":        `package a; import ("fmt"; "github.com/oryne/pgtenant/base"; "example.com/any")`,
		"top/b/b.go":        "package b\n\nimport \"github.com/oryne/pgtenant/top/a\"\n",
		"base/up.go":        `package base; import "github.com/oryne/pgtenant/top/a"`,
		"base/outside.go":   `package base; import ("github.com/jackc/pgx/v5/pgconn"; "github.com/jackc/pgx/v55")`,
		"base/base_test.go": `package base_test; import "github.com/oryne/pgtenant/top/a"`,
		"stray/stray.go":    `package stray`,
		"top/top.go":        `package top`, // "top/..." covers only directories below top
	})
	expect(t, checkLayers(twoLayers, files),
		"top/b/b.go:3: top/b may not import github.com/oryne/pgtenant/top/a: of this",
		"base/up.go:1: base may not import github.com/oryne/pgtenant/top/a: of that",
		"base/outside.go:1: base may not import github.com/jackc/pgx/v55: of that",
		"stray/stray.go: package stray is not in the table of layers",
		"top/top.go: package top is not in the table of layers",
	)
}

// Rules of the design, checked against the real table.
func TestLayersFollowTheDesign(t *testing.T) {
	t.Parallel()
	files := madeUp(t, map[string]string{
		"tenancy/x.go":         `package tenancy; import "github.com/oryne/pgtenant/migrate"`,
		"schemactx/x.go":       `package schemactx; import ("github.com/jackc/pgx/v5/pgxpool"; "golang.org/x/sync/errgroup")`,
		"migrate/x.go":         `package migrate; import "github.com/oryne/pgtenant/internal/localpg"`,
		"erp/x.go":             `package erp; import "github.com/oryne/pgtenant/resolver"`,
		"tenancy/audit/x.go":   `package audit; import "github.com/oryne/pgtenant/tenancy/backup"`,
		"examples/school/x.go": `package main; import "github.com/oryne/pgtenant/internal/localpg"`,
	})
	expect(t, checkLayers(layers, files),
		"tenancy/x.go:1: tenancy may not import github.com/oryne/pgtenant/migrate",
		"schemactx/x.go:1: schemactx may not import golang.org/x/sync/errgroup",
		"migrate/x.go:1: migrate may not import github.com/oryne/pgtenant/internal/localpg",
		"erp/x.go:1: erp may not import github.com/oryne/pgtenant/resolver",
		"tenancy/audit/x.go:1: tenancy/audit may not import github.com/oryne/pgtenant/tenancy/backup",
	)
}

func TestTestCodeOutsideOfTestsIsFound(t *testing.T) {
	t.Parallel()
	files := madeUp(t, map[string]string{
		"erp/a.go":                   `package erp; import "testing"`,
		"erp/b.go":                   `package erp; import "testing/fstest"`,
		"erp/c.go":                   `package erp; import "github.com/oryne/pgtenant/internal/pgtest"`,
		"erp/d.go":                   `package erp; import "github.com/testcontainers/testcontainers-go"`,
		"erp/e.go":                   `package erp; import "example.com/testing"`,
		"erp/f_test.go":              `package erp; import "testing"`,
		"tenancy/tenancytest/a.go":   `package tenancytest; import "testing"`,
		"internal/pgtest/fixture.go": `package pgtest; import "testing"`,
	})
	expect(t, checkTestOnly(files),
		"erp/a.go:1: imports testing outside of a test",
		"erp/b.go:1: imports testing/fstest outside of a test",
		"erp/c.go:1: imports github.com/oryne/pgtenant/internal/pgtest outside of a test",
		"erp/d.go:1: imports github.com/testcontainers/testcontainers-go outside of a test",
	)
}

func TestAMissingOrMisplacedOrLongPackageCommentIsFound(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("// line\n", maxDocLines)
	files := madeUp(t, map[string]string{
		"good/doc.go":       longest + "package good",
		"long/doc.go":       longest + "// line\npackage long",
		"none/none.go":      "package none",
		"empty/doc.go":      "package empty",
		"moved/moved.go":    "// Package moved is elsewhere.\npackage moved",
		"tests/one_test.go": "package tests",
	})
	expect(t, checkPackageComments(files),
		"long/doc.go: the package comment has 61 lines",
		"none: no package comment in doc.go",
		"empty: no package comment in doc.go",
		"moved: no package comment in doc.go",
		"moved/moved.go: has a package comment",
	)
}

func TestAnExportedNameWithoutCommentIsFound(t *testing.T) {
	t.Parallel()
	const src = `package p

func Bare() {}

// Told is documented.
func Told() {}

func hidden() {}

type T struct{}

func (T) Method() {}

// Group speaks for variables, not for types.
type (
	U int
	// V is documented.
	V int
)

var A, b = 1, 2

// C and D are documented.
const (
	C = 1
	D = 2
)

const (
	E = 1 // E is documented.
	F = 2
)
`
	files := madeUp(t, map[string]string{
		"erp/p.go":          src,
		"internal/p/p.go":   src,
		"erp/p_test.go":     src,
		"examples/x/p.go":   strings.Replace(src, "package p", "package main", 1),
		"internal/p/doc.go": "package p",
	})
	var want []string
	for _, name := range []string{"3: Bare", "10: T", "16: U", "21: A", "31: F"} {
		want = append(want, "erp/p.go:"+name+" has no doc comment")
	}
	expect(t, checkExportedDocs(files), want...)
}

func TestTheTreeIsReadAsTheGoCommandReadsIt(t *testing.T) {
	t.Parallel()
	src := &fstest.MapFile{Data: []byte("package p")}
	files, err := parseTree(fstest.MapFS{
		"a/a.go":            src,
		"a/a_windows.go":    src,
		"a/a_test.go":       src,
		"a/README.md":       src,
		"a/_draft.go":       src,
		"a/.hidden.go":      src,
		"a/testdata/t.go":   src,
		".ci/c.go":          src,
		"_old/o.go":         src,
		"go.work":           {Data: []byte("go 1.26.0\n\nuse (\n\t.\n\t./b/work\n)\n")},
		"b/work/go.mod":     {Data: []byte("module b/work")},
		"b/work/w.go":       src,
		"b/work/n/go.mod":   {Data: []byte("module n")},
		"b/work/n/n.go":     src,
		"nested/go.mod":     {Data: []byte("module nested")},
		"nested/n.go":       src,
		"nested/below/n.go": src,
	})
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.path)
	}
	assert.Equal(t, []string{"a/a.go", "a/a_test.go", "a/a_windows.go", "b/work/w.go"}, names)

	_, err = parseTree(fstest.MapFS{"go.work": {}, "a/a.go": {Data: []byte("no package")}})
	assert.Error(t, err, "a file that cannot be parsed is not reported")

	_, err = parseTree(fstest.MapFS{"a/a.go": src})
	assert.Error(t, err, "a tree without go.work")
}

func TestCodeThatRunsTestsItselfIsFound(t *testing.T) {
	t.Parallel()
	expect(t, checkTestRunners(madeUp(t, map[string]string{
		"a/example_test.go": `package a; func Example() { print(testing.RunTests(nil, nil)) }`,
		"b/main_test.go":    `package b; func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }`,
		"c/run.go":          `package c; func run() { testing.MainStart(nil, nil, nil, nil, nil).Run() }`,
	})), "a/example_test.go:1: calls testing.RunTests", "c/run.go:1: calls testing.MainStart")
}

func TestATableOfTheRegistryInPublicIsFound(t *testing.T) {
	t.Parallel()
	files := madeUp(t, map[string]string{
		"tenancy/a.go":       "package tenancy\n\nconst sql = \"select from public.tenants\"\n",
		"tenancy/audit/a.go": "package audit\n\nconst sql = `select from\npublic.audit_log`\n",
		"tenancy/b.go": "package tenancy\n\nconst sql = \"select from {registry}.tenants, public.mine\" " +
			"// public.tenants\n",
		"tenancy/a_test.go": "package tenancy\n\nconst sql = \"select from public.tenants\"\n",
		"erp/a.go":          "package erp\n\nconst sql = \"select from public.tenants\"\n",
	})
	expect(t, checkRegistrySQL(files), "tenancy/a.go:3: names", "tenancy/audit/a.go:3: names")
}
