package migrate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

func TestTableOfThousandsNamesAFewAndAllFailures(t *testing.T) {
	t.Parallel()
	report := migrate.Report{Listed: 3000, Current: 960, Duration: 2500 * time.Millisecond, Stopped: migrate.ErrStopAfter}
	for i := range 2000 {
		report.Results = append(
			report.Results,
			migrate.Result{Schema: fmt.Sprintf("good_%d", i), Outcome: migrate.Migrated, From: 1, To: 2, Applied: []int64{2}},
		)
	}
	for i := range 40 {
		err := fmt.Errorf("migrate schema %q: %w", fmt.Sprintf("bad_%d", i), errors.New("first line\nsecond\tline"))
		report.Results = append(
			report.Results,
			migrate.Result{Schema: fmt.Sprintf("bad_%d", i), Outcome: migrate.Failed, From: 1, To: 1, Err: err},
		)
	}
	var b strings.Builder
	require.NoError(t, report.WriteTable(&b))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Len(t, lines, 1+40+10+1+1+2, b.String())
	for i, want := range map[int]string{
		1:  "bad_0              failed    1        -     first line second line",
		41: "good_0             migrated  1 -> 2   -     applied 2",
		51: "... and 1990 more  migrated",
		53: "stopped: too many schemas failed",
		54: "3000 schemas in 2.5s: 40 failed, 2000 migrated, 960 current",
	} {
		assert.Equal(t, want, strings.TrimSpace(lines[i]), "line %d is %q", i, lines[i])
	}
}

func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, migrate.Report{}.WriteTable(&b))
	if assert.Equal(t, "0 schemas in 0s: no schemas\n", b.String()) && assert.NoError(t, (migrate.Report{}).Err()) {
		assert.Equal(t, migrate.ExitOK, (migrate.Report{}).ExitCode())
	}
}
