package metrics

import (
	"context"
	"strings"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// Values of the label result.
const (
	resultOK    = "ok"
	resultError = "error"
)

// Lifecycle returns hooks for a [tenancy.Manager] that count the steps of its operations and then
// call the hooks of next that are not nil. Before is next.Before, so a step that it refuses is not
// counted.
func (m *Metrics) Lifecycle(next tenancy.Hooks) tenancy.Hooks {
	return tenancy.Hooks{
		Before: next.Before,
		After: func(ctx context.Context, data tenancy.StepData) {
			result := resultOK
			if data.Err != nil {
				result = resultError
			}
			m.steps.WithLabelValues(label(string(data.Op)), label(data.Step), result).Inc()
			if next.After != nil {
				next.After(ctx, data)
			}
		},
	}
}

// Drops returns a [tenancy.DropConfig].Notify that counts the phases of drops and then calls next
// unless it is nil.
func (m *Metrics) Drops(next func(context.Context, tenancy.DropEvent)) func(context.Context, tenancy.DropEvent) {
	return func(ctx context.Context, e tenancy.DropEvent) {
		m.drops.WithLabelValues(label(string(e.Phase))).Inc()
		if next != nil {
			next(ctx, e)
		}
	}
}

var dropPhases = []tenancy.DropPhase{
	tenancy.DropRequested,
	tenancy.DropApproved,
	tenancy.DropRefused,
	tenancy.DropStarted,
	tenancy.DropStopped,
	tenancy.DropDone,
}

// Migrating returns a [migrate.UpAllOptions].Events that counts the outcomes of migrations, shows
// the progress of the run, and then calls next unless it is nil.
func (m *Metrics) Migrating(next func(migrate.Event)) func(migrate.Event) {
	return func(e migrate.Event) {
		m.runTotal.Set(float64(e.Progress.Total))
		m.runDone.Set(float64(e.Progress.Done))
		if e.Kind == migrate.EventFinished {
			m.migrations.WithLabelValues(label(string(e.Result.Outcome))).Inc()
		}
		if next != nil {
			next(e)
		}
	}
}

// Migrated shows the result of a run of [migrate.Runner.UpAll].
func (m *Metrics) Migrated(report migrate.Report) {
	m.runEnd.Set(seconds(report.Started.Add(report.Duration)))
	m.runDuration.Set(report.Duration.Seconds())
	for _, outcome := range outcomes {
		m.runOutcomes.WithLabelValues(label(string(outcome))).Set(float64(report.Count(outcome)))
	}
	m.runExit.Set(float64(report.ExitCode()))
}

var outcomes = []migrate.Outcome{
	migrate.Current,
	migrate.Behind,
	migrate.Migrated,
	migrate.Failed,
	migrate.NotStarted,
	migrate.Missing,
	migrate.Dropped,
	migrate.UnknownVersion,
	migrate.NewerCompatible,
	migrate.OutOfOrder,
	migrate.Edited,
	migrate.BadTable,
	migrate.Unregistered,
}

// label returns text as a label value. The text is a constant of this module, of this or a later
// version.
func label(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, " ", "_"), "\uFFFD")
}
