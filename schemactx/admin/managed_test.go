package admin_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The attacks that MANAGED.md lists as closed only by Harden must be those of ATTACKS.md, which is
// generated from the outcomes of the attacks.
func TestManagedPageListsTheAttacksThatOnlyHardenCloses(t *testing.T) {
	t.Parallel()
	attacks, err := os.ReadFile("../ATTACKS.md")
	require.NoError(t, err)
	var want []string
	for _, row := range tableRows(string(attacks)) {
		if roles, hardened, logins := row[4], row[5], row[6]; roles == "**leaks**" && hardened != roles {
			want = append(want, strings.Join([]string{row[0], row[1], logins}, " | "))
		}
	}
	page, err := os.ReadFile("MANAGED.md")
	require.NoError(t, err)
	var got []string
	for _, row := range tableRows(string(page)) {
		got = append(got, strings.Join(row[:3], " | "))
	}
	assert.NotEmpty(t, want)
	assert.Equal(t, want, got)
}

// A cell with SQL can contain an escaped bar.
var tableRow = regexp.MustCompile(`(?m)^\| \d+ .*\|$`)

// tableRows returns the cells of the table rows that begin with a number.
func tableRows(page string) (rows [][]string) {
	for _, line := range tableRow.FindAllString(page, -1) {
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "¦"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}
