package corpustest

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// testCase is one file of testdata.
type testCase struct {
	migrations fstest.MapFS
	setup      string
	after      string
	again      string
	tenant     []string // statements
	extra      []string
	returns    []returns
	owner      []returns
	failures   []failure
}

// returns is a query and its result.
type returns struct{ sql, want string }

// failure is a step that must fail, with a part of its error.
type failure struct {
	step, says    string
	before, since int // versions of PostgreSQL; 0: any
}

func (f failure) holds(major int) bool {
	return (f.before == 0 || major < f.before) && major >= f.since
}

func readCase(t *testing.T, file string) testCase {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	c := testCase{migrations: make(fstest.MapFS)}
	for _, f := range archive.Files {
		text := strings.TrimSpace(string(f.Data))
		switch f.Name {
		case "setup.sql":
			c.setup = text
		case "after.sql":
			c.after = text
		case "again.sql":
			c.again = text
		case "tenant.sql":
			c.tenant = strings.Split(text, "\n\n")
		case "expect":
			require.NoError(t, c.expect(text))
		default:
			require.Regexp(t, `^\d+_.*\.sql$`, f.Name)
			c.migrations[f.Name] = &fstest.MapFile{Data: unescape(f.Data)}
		}
	}
	require.NotEmpty(t, c.migrations)
	return c
}

// unescape inserts the bytes that a text file cannot show: [BOM] and [CR].
func unescape(data []byte) []byte {
	return []byte(strings.NewReplacer("[BOM]", "\ufeff", "[CR]", "\r").Replace(string(data)))
}

var failureLine = regexp.MustCompile(`^(?:fails|pending) ([a-z ]+?)(?: (before|from) (\d+))?: (.+)$`)

func (c *testCase) expect(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		sql, want, isQuery := strings.Cut(rest, " =>")
		query := returns{sql, strings.TrimSpace(want)}
		failed := failureLine.FindStringSubmatch(line)
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case word == "extra":
			c.extra = strings.Fields(rest)
		case word == "returns" && isQuery:
			c.returns = append(c.returns, query)
		case word == "owner" && isQuery:
			c.owner = append(c.owner, query)
		case failed != nil:
			f := failure{step: failed[1], says: failed[4]}
			if n, _ := strconv.Atoi(failed[3]); failed[2] == "before" {
				f.before = n
			} else {
				f.since = n
			}
			c.failures = append(c.failures, f)
		default:
			return fmt.Errorf("%q is not an expectation", line)
		}
	}
	return nil
}

func (c *testCase) failure(step string, major int) string {
	for _, f := range c.failures {
		if f.step == step && f.holds(major) {
			return f.says
		}
	}
	return ""
}

func caseFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}
