package migrate_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	f.Exec(t, "alter table tenant_2.notes add column body text")
	report, err := f.Runner(t, basic).
		UpAll(t.Context(), migrate.Schemas(append(names(3), "tenant_9")...), migrate.UpAllOptions{})
	assert.ErrorIs(t, err, migrate.ErrIncomplete)
	text, err := json.Marshal(report)
	require.NoError(t, err)
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
	require.NoError(t, json.Unmarshal(text, &doc))
	assert.False(t, doc.OK, text)
	assert.Equal(t, 1, doc.ExitCode, text)
	assert.Equal(t, 4, doc.Listed, text)
	assert.Equal(t, 2, doc.Counts["migrated"], text)
	assert.Equal(t, 1, doc.Counts["missing"], text)
	assert.Len(t, doc.Results, 4, text)
	failed := doc.Results[1]
	assert.Equal(t, "tenant_2", failed.Schema, failed)
	assert.Equal(t, "failed", failed.Outcome, failed)
	assert.Equal(t, "42701", failed.Error.SQLState, failed)
	assert.Equal(t, "00002_body.sql", failed.Error.File, failed)
	assert.Equal(t, int64(2), failed.Error.Version, failed)
	assert.Equal(t, 1, failed.Error.Statement, failed)
	assert.Equal(t, 2, failed.Error.Line, failed)
	assert.NotEmpty(t, failed.Error.Message, failed)
	assert.Positive(t, failed.Seconds, failed)
	migrated := doc.Results[0]
	assert.Equal(t, []int64{2}, migrated.Applied, migrated)
	assert.Equal(t, "migrated", migrated.Outcome, migrated)
	assert.Equal(t, int64(1), migrated.From, migrated)
	assert.Equal(t, int64(2), migrated.To, migrated)
}

func TestProgressIsComplete(t *testing.T) {
	t.Parallel()
	f := fleet(t, 5)
	f.Exec(t, "alter table tenant_2.notes add column body text")
	var last migrate.Progress
	var running atomic.Int32
	kinds := make(map[migrate.EventKind]int)
	_, err := f.Runner(t, basic).
		UpAll(t.Context(), migrate.Schemas(names(5)...), migrate.UpAllOptions{Events: func(e migrate.Event) {
			assert.Equal(t, int32(1), running.Add(1), "two events at once")
			assert.GreaterOrEqual(t, e.Progress.Done, last.Done, "%+v after %+v", e.Progress, last)
			assert.LessOrEqual(t, e.Progress.Done, e.Progress.Total, "%+v after %+v", e.Progress, last)
			last = e.Progress
			kinds[e.Kind]++
			running.Add(-1)
		}})
	assert.ErrorIs(t, err, migrate.ErrIncomplete)
	if assert.Equal(t, 5, last.Done, "last %+v", last) &&
		assert.Equal(t, 5, last.Total, "last %+v", last) &&
		assert.Equal(t, 1, last.Failed, "last %+v", last) &&
		assert.Positive(t, last.Rate(), "last %+v", last) {
		assert.Zero(t, last.ETA(), "last %+v", last)
	}
	assert.Equal(t, 5, kinds[migrate.EventStarted], "events %v", kinds)
	assert.Equal(t, 5, kinds[migrate.EventFinished], "events %v", kinds)
	assert.Equal(t, 1, kinds[migrate.EventPlanned], "events %v", kinds)
	halfway := migrate.Progress{Total: 30, Done: 10, Elapsed: 5 * time.Second}
	assert.Equal(t, 2.0, halfway.Rate())
	assert.Equal(t, 10*time.Second, halfway.ETA())
	assert.Zero(t, migrate.Progress{}.Rate())
	assert.Zero(t, migrate.Progress{}.ETA())
}
