package guidetest

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// TestMain lets the test binary be the program of VERIFY.md.
func TestMain(m *testing.M) {
	if os.Getenv("GUIDETEST_PROGRAM") != "" {
		os.Exit(yourProgram())
	}
	os.Exit(pgtest.Main(m))
}

// guide is the text of a guide.
type guide string

func read(t *testing.T, path string) guide {
	t.Helper()
	text, err := os.ReadFile("../../" + path)
	require.NoError(t, err)
	return guide(text)
}

// blocks returns the fenced blocks of a language, in their order.
func (g guide) blocks(language string) (all []string) {
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(g), -1) {
		all = append(all, block[1])
	}
	return all
}

// block returns the one block of a language that has a text.
func (g guide) block(t *testing.T, language, text string) string {
	t.Helper()
	var found []string
	for _, block := range g.blocks(language) {
		if strings.Contains(block, text) {
			found = append(found, block)
		}
	}
	require.Len(t, found, 1, "%s blocks with %q", language, text)
	return found[0]
}

// migrations returns the blocks that begin with a comment that names their file.
func (g guide) migrations(t *testing.T) fstest.MapFS {
	t.Helper()
	files := make(fstest.MapFS)
	for _, block := range g.blocks("sql") {
		first, rest, _ := strings.Cut(block, "\n")
		if name, found := strings.CutPrefix(first, "-- 0"); found {
			files["0"+name] = &fstest.MapFile{Data: []byte(rest)}
		}
	}
	require.NotEmpty(t, files)
	return files
}

// expectCode compares the Go code of the guide with that of a file of this package, but for the
// indentation.
func (g guide) expectCode(t *testing.T, file string) {
	t.Helper()
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	blocks := g.blocks("go")
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.True(t, strings.Contains(unindented(string(source)), unindented(block)),
			"%s must have this code of the guide:\n%s", file, block)
	}
}

func unindented(code string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(code, "")
}

// database returns a database whose roles have their default names, and these.
func database(t *testing.T) (*pgtest.DB, schemactx.RoleNames) {
	t.Helper()
	db := pgtest.New(t)
	roles := schemactx.DefaultRoleNames(db.Name)
	db.RolePrefix = roles.Prefix() // to be dropped after the test
	return db, roles
}
