package quarantine_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/quarantine"
)

var (
	guideFile       = regexp.MustCompile("(?s)```sql\n-- (\\S+\\.sql)\n(.*?)```")
	guideCompatible = regexp.MustCompile("`CompatibleFrom: (\\d+)`")
)

// guideRelease returns a program with the first n migrations of migrate/DEPLOYMENT.md.
func (f *fixture) guideRelease(t *testing.T, n int) *migrate.Runner {
	t.Helper()
	guide, err := os.ReadFile("../../migrate/DEPLOYMENT.md")
	require.NoError(t, err)
	sources, compatible := guideFile.FindAllSubmatch(guide, -1), guideCompatible.FindAllSubmatch(guide, -1)
	require.Len(t, sources, 4)
	require.Len(t, compatible, 3)
	files := make(fstest.MapFS)
	for _, source := range sources[:n] {
		files[string(source[1])] = &fstest.MapFile{Data: source[2]}
	}
	return f.release(t, n, func(c *migrate.Config) {
		c.Tenant[0].FS = files
		if n > 1 {
			c.Tenant[0].CompatibleFrom, err = strconv.ParseInt(string(compatible[n-2][1]), 10, 64)
			require.NoError(t, err)
		}
	})
}

// Each release of the guide keeps tenants that have its migrations served by the release before it.
// The release two before it does not serve them.
func TestTheReleasesOfTheGuideToDeployments(t *testing.T) {
	t.Parallel()
	f := setup(t, "school")
	migrated(t, f.guideRelease(t, 1), "school")
	f.exec(t, "insert into school.notes (body) values ('old')")
	for n := 2; n <= 4; n++ {
		migrated(t, f.guideRelease(t, n), "school")
		expectServed(t, f.open(t, f.guideRelease(t, n)), "school")
		expectServed(t, f.open(t, f.guideRelease(t, n-1)), "school")
		if n > 2 {
			expectKeptOut(t, f.open(t, f.guideRelease(t, n-2)), "school", quarantine.Newer)
		}
	}
	var content string
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select content from school.notes").Scan(&content))
	assert.Equal(t, "old", content)
	_, err := f.guideRelease(t, 4).DownTo(t.Context(), "school", 1)
	require.NoError(t, err)
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select body from school.notes").Scan(&content))
	assert.Equal(t, "old", content)
}
