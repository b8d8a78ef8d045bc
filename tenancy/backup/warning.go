package backup

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"
)

// Warning is about an object that a restore, a clone or a verification could not make as it was, or
// about a check that old rows do not satisfy today. No row is missing.
type Warning struct {
	Object string `json:"object"` // "table posts", "materialized view totals"
	Reason string `json:"reason"` // the end of a sentence: "has no statistics: ..."
}

// String returns the object and the reason.
func (w Warning) String() string { return w.Object + " " + w.Reason }

// warn notes a warning and logs it.
func (l *loader) warn(ctx context.Context, object, reason string) {
	l.warnings = append(l.warnings, Warning{object, reason})
	l.s.cfg.Logger.WarnContext(ctx, "restored with a warning", slog.String("object", object), slog.String("reason", reason))
}

// isEvaluation reports whether the server could not evaluate an expression or a query of the
// schema. It is false for errors after which a retry may help: the server is away, out of
// resources, was told to stop, or did not get a lock.
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
