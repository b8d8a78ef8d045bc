package backup

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/tenancy"
)

// EventKind is a stage of a backup or restore.
type EventKind string

// The kinds of an [Event], in order.
const (
	EventStarted  EventKind = "started"  // the snapshot was taken, nothing was written yet
	EventRows     EventKind = "rows"     // a table is being copied; sent after each 64 MiB of CSV
	EventTable    EventKind = "table"    // a table was copied
	EventWritten  EventKind = "written"  // the file was written and will be read back
	EventVerified EventKind = "verified" // the file was read back and has a receipt: the tenant is backed up

	EventBuilding  EventKind = "building"  // restore: the schema is being created
	EventLoaded    EventKind = "loaded"    // restore: a table's rows were loaded
	EventChecking  EventKind = "checking"  // restore: all rows were loaded and read back; newer migrations follow
	EventSwitching EventKind = "switching" // restore: all checks passed; the switch follows
	EventRestored  EventKind = "restored"  // restore: the tenant was restored
)

// Event reports progress. Later versions may add kinds.
type Event struct {
	Kind   EventKind
	Tenant tenancy.Tenant
	Name   string // of the file in the store; empty where there is no store
	Table  string // of EventRows and EventTable
	Rows   int64  // of EventTable: in the table
	Bytes  int64  // of EventRows and EventTable: CSV bytes of the table so far
	Done   int    // number of copied or loaded tables
	Tables int    // number of all tables
}

// Warning reports an object that a restore, a clone or a verification could not recreate as it was,
// or a check that existing rows no longer satisfy. All rows were restored.
type Warning struct {
	Object string `json:"object"` // "table posts", "materialized view totals"
	Reason string `json:"reason"` // end of a sentence: "has no statistics: ..."
}

// String returns the object and the reason.
func (w Warning) String() string { return w.Object + " " + w.Reason }

// warn records and logs a warning.
func (l *loader) warn(ctx context.Context, object, reason string) {
	l.warnings = append(l.warnings, Warning{object, reason})
	l.s.cfg.Logger.WarnContext(ctx, "restored with a warning",
		slog.String("object", object), slog.String("reason", reason))
}

// isEvaluationError reports whether the server could not evaluate an expression or a query of the
// schema. It is false for errors that a retry may resolve: the server is unreachable or out of
// resources, the statement was cancelled, or a lock was not acquired.
func isEvaluationError(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || len(pgErr.Code) != 5 || pgErr.Code == lockNotAvailable {
		return false
	}
	switch pgErr.Code[:2] {
	case "08", "25", "40", "53", "57", "58", "XX":
		return false
	}
	return true
}
