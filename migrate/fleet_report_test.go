package migrate_test

import (
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oryne/pgtenant/migrate"
)

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	f.exec(t, "alter table tenant_2.notes add column body text")
	report, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(append(names(3), "tenant_9")...), migrate.UpAllOptions{})
	expectIs(t, err, migrate.ErrIncomplete)
	text, err := json.Marshal(report)
	check(t, err)
	var doc struct {
		OK       bool
		ExitCode int `json:"exit_code"`
		Listed   int
		Counts   map[string]int
		Results  []struct {
			Schema, Outcome string
			From, To        int64
			Applied         []int64
			Seconds         float64
			Error           struct {
				Message, File, SQLState string
				Version                 int64
				Statement, Line         int
			}
		}
	}
	check(t, json.Unmarshal(text, &doc))
	if doc.OK || doc.ExitCode != 1 || doc.Listed != 4 || doc.Counts["migrated"] != 2 || doc.Counts["missing"] != 1 || len(doc.Results) != 4 {
		t.Errorf("%s", text)
	}
	failed := doc.Results[1]
	if failed.Schema != "tenant_2" || failed.Outcome != "failed" || failed.Error.SQLState != "42701" || failed.Error.File != "00002_body.sql" ||
		failed.Error.Version != 2 || failed.Error.Statement != 1 || failed.Error.Line != 2 || failed.Error.Message == "" || failed.Seconds <= 0 {
		t.Errorf("%+v", failed)
	}
	if migrated := doc.Results[0]; !slices.Equal(migrated.Applied, []int64{2}) || migrated.Outcome != "migrated" || migrated.From != 1 || migrated.To != 2 {
		t.Errorf("%+v", migrated)
	}
}

func TestProgressComesToAnEnd(t *testing.T) {
	t.Parallel()
	f := fleet(t, 5)
	f.exec(t, "alter table tenant_2.notes add column body text")
	var last migrate.Progress
	var running atomic.Int32
	kinds := make(map[migrate.EventKind]int)
	_, err := f.runner(t, basic).UpAll(t.Context(), migrate.Schemas(names(5)...), migrate.UpAllOptions{Events: func(e migrate.Event) {
		if running.Add(1) != 1 {
			t.Error("two events at once")
		}
		if e.Progress.Done < last.Done || e.Progress.Done > e.Progress.Total {
			t.Errorf("%+v after %+v", e.Progress, last)
		}
		last = e.Progress
		kinds[e.Kind]++
		running.Add(-1)
	}})
	expectIs(t, err, migrate.ErrIncomplete)
	if last.Done != 5 || last.Total != 5 || last.Failed != 1 || last.Rate() <= 0 || last.ETA() != 0 {
		t.Errorf("last %+v", last)
	}
	if kinds[migrate.EventStarted] != 5 || kinds[migrate.EventFinished] != 5 || kinds[migrate.EventPlanned] != 1 {
		t.Errorf("events %v", kinds)
	}
	halfway := migrate.Progress{Total: 30, Done: 10, Elapsed: 5 * time.Second}
	if halfway.Rate() != 2 || halfway.ETA() != 10*time.Second {
		t.Errorf("%v a second, %v to go", halfway.Rate(), halfway.ETA())
	}
	if none := (migrate.Progress{}); none.Rate() != 0 || none.ETA() != 0 {
		t.Errorf("nothing: %v a second, %v to go", none.Rate(), none.ETA())
	}
}
