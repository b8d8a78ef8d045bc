package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// SweepReport says what [Manager.SweepStagedSchemas] did.
type SweepReport struct {
	Dropped []string // schemas that nobody was building any more
	InUse   []string // that somebody is building
}

// SweepStagedSchemas drops the staged schemas of processes that are gone. What was a tenant's is left
// alone, and so is what somebody is building: a session holds the lock of it. One that cannot be
// dropped does not stop the others. The report is valid with an error too, which joins theirs.
// Several may sweep at once.
func (m *Manager) SweepStagedSchemas(ctx context.Context) (SweepReport, error) {
	var report SweepReport
	all, err := m.sides(ctx, "not s.used")
	if err != nil || len(all) == 0 {
		return report, err
	}
	l, err := m.connectLock(ctx)
	if err != nil {
		return report, err
	}
	defer l.release(ctx)
	var errs []error
	for _, s := range all {
		dropped, err := m.sweepSide(ctx, l, &s)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("sweep schema %q: %w", s.Schema, err))
		case dropped:
			report.Dropped = append(report.Dropped, s.Schema)
			m.cfg.Logger.InfoContext(ctx, "staged schema swept", slog.String("schema", s.Schema))
		default:
			report.InUse = append(report.InUse, s.Schema)
		}
	}
	return report, errors.Join(errs...)
}

// sweepSide drops a schema under its lock, which l keeps until it is released.
func (m *Manager) sweepSide(ctx context.Context, l *lock, s *AuxiliarySchema) (dropped bool, err error) {
	if held, err := l.try(ctx, sideKey(s.ID)); err != nil || !held {
		return false, err
	}
	// It may be a tenant's by now.
	left, err := m.sides(ctx, "s.id = $1 and not s.used and s.schema_name = $2", s.ID, s.Schema)
	if err != nil || len(left) == 0 {
		return false, err
	}
	return true, m.dropSide(ctx, l, s)
}
