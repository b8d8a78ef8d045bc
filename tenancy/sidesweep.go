package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// SideSweepReport says what [Manager.SweepSideSchemas] did.
type SideSweepReport struct {
	Dropped []string // schemas that nobody was building any more
	InUse   []string // that somebody is building
}

// SweepSideSchemas drops the staged schemas of processes that are gone. What was a tenant's is left alone, and so is what
// somebody is building: a session holds the lock of it. One that cannot be dropped does not stop the others. The report is
// valid with an error too, which joins theirs. Several may sweep at once.
func (m *Manager) SweepSideSchemas(ctx context.Context) (SideSweepReport, error) {
	var report SideSweepReport
	all, err := m.sides(ctx, "not s.used")
	if err != nil || len(all) == 0 {
		return report, err
	}
	pooled, err := m.registry.Acquire(ctx)
	if err != nil {
		return report, err
	}
	conn := m.registry.Schema().Conn(pooled.Hijack()) // who holds a connection of the pool and waits for another can wait for ever
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		_ = unlockAll(ctx, conn) // gone with the session in any case
		_ = conn.Close(ctx)
	}()
	var errs []error
	for _, s := range all {
		dropped, err := m.sweepSide(ctx, conn, &s)
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

// sweepSide drops a schema under its lock, which conn keeps until it is closed.
func (m *Manager) sweepSide(ctx context.Context, conn *registrydb.Conn, s *SideSchema) (dropped bool, err error) {
	if held, err := tryLock(ctx, conn, sideKey(s.ID)); err != nil || !held {
		return false, err
	}
	marked, err := m.markSide(ctx, s, SideDropping)
	if err != nil || !marked {
		return false, err
	}
	return true, m.dropSide(ctx, s)
}
