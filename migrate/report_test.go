package migrate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/migrate"
)

func TestTableOfThousandsNamesAFewAndAllFailures(t *testing.T) {
	t.Parallel()
	report := migrate.Report{Listed: 3000, Current: 960, Duration: 2500 * time.Millisecond, Stopped: migrate.ErrStopAfter}
	for i := range 2000 {
		report.Results = append(report.Results, migrate.Result{Schema: fmt.Sprintf("good_%d", i), Outcome: migrate.Migrated, From: 1, To: 2, Applied: []int64{2}})
	}
	for i := range 40 {
		err := fmt.Errorf("migrate schema %q: %w", fmt.Sprintf("bad_%d", i), errors.New("first line\nsecond\tline"))
		report.Results = append(report.Results, migrate.Result{Schema: fmt.Sprintf("bad_%d", i), Outcome: migrate.Failed, From: 1, To: 1, Err: err})
	}
	var b strings.Builder
	check(t, report.WriteTable(&b))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 1+40+10+1+1+2 {
		t.Fatalf("%d lines\n%s", len(lines), b.String())
	}
	for i, want := range map[int]string{
		1: "bad_0              failed    1        -     first line second line", 41: "good_0             migrated  1 -> 2   -     applied 2",
		51: "... and 1990 more  migrated", 53: "stopped: too many schemas failed", 54: "3000 schemas in 2.5s: 40 failed, 2000 migrated, 960 current",
	} {
		if strings.TrimSpace(lines[i]) != want {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
}

func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	check(t, migrate.Report{}.WriteTable(&b))
	if b.String() != "0 schemas in 0s: no schemas\n" || (migrate.Report{}).Err() != nil || (migrate.Report{}).ExitCode() != migrate.ExitOK {
		t.Errorf("%q", b.String())
	}
}
