package backup

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"
)

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

// isEvaluation reports whether the server could not evaluate an expression or a query of the
// schema. It is false for errors that a retry may resolve: the server is unreachable or out of
// resources, the statement was cancelled, or a lock was not acquired.
func isEvaluation(err error) bool {
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
