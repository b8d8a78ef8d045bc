package backup

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// maxSkew is by how much two clocks may differ, as in package tenancy.
const maxSkew = time.Minute

// clocks are two that say what time it is: this process's, and that of the registry's server, which
// all processes share. One of them may be wrong, and it is not known which: nothing is deleted by
// age unless they agree.
type clocks struct{ process, server time.Time }

// readClocks asks both.
func (s *Service) readClocks(ctx context.Context) (c clocks, err error) {
	err = s.registry.QueryRow(ctx, "select pg_catalog.clock_timestamp()").Scan(&c.server)
	if err != nil {
		return c, fmt.Errorf("read the server's clock: %w", err)
	}
	c.process = s.clock()
	return c, nil
}

func (c clocks) agree() bool { return c.process.Sub(c.server).Abs() <= maxSkew }

// earlier returns the earlier of the two times: by it, everything is as young as it may be.
func (c clocks) earlier() time.Time {
	if c.process.Before(c.server) {
		return c.process
	}
	return c.server
}

// later returns the later of the two times: what is kept for a time from then on is kept long
// enough.
func (c clocks) later() time.Time {
	if c.process.Before(c.server) {
		return c.server
	}
	return c.process
}

// ahead reports whether a moment lies in the future: some clock was wrong when it was written down,
// or is now.
func ahead(moment, now time.Time) bool { return moment.Sub(now) > maxSkew }

// warning returns what is to be reported of the clocks, empty if they agree.
func (c clocks) warning() string {
	if c.agree() {
		return ""
	}
	return fmt.Sprintf("the clock of this process says %s and that of the registry's server %s: nothing is removed by its age",
		c.process.UTC().Format(time.RFC3339), c.server.UTC().Format(time.RFC3339))
}

// warn logs what is wrong with a clock.
func (s *Service) warnClock(ctx context.Context, warnings ...string) {
	for _, w := range warnings {
		if w != "" {
			s.cfg.Logger.WarnContext(ctx, "backup: a clock is wrong, or was", slog.String("reason", w))
		}
	}
}

// Ahead reports whether the snapshot's time is more than a minute after now: the server's clock was
// wrong, or the caller's clock is. Such a backup does not count as the newest, and retention leaves
// it alone until its time has come.
func (i Info) Ahead(now time.Time) bool { return ahead(i.TakenAt, now) }
