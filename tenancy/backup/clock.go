package backup

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// maxSkew is the largest accepted difference between two clocks, as in package tenancy.
const maxSkew = time.Minute

// clocks holds the time of this process and of the registry's server, which all processes share.
// One of the two may be wrong, and it is not known which. Nothing is deleted by age unless they
// agree.
type clocks struct{ process, server time.Time }

// readClocks reads both clocks.
func (s *Service) readClocks(ctx context.Context) (c clocks, err error) {
	err = s.registry.QueryRow(ctx, "select pg_catalog.clock_timestamp()").Scan(&c.server)
	if err != nil {
		return c, fmt.Errorf("read the server's clock: %w", err)
	}
	c.process = s.clock()
	return c, nil
}

func (c clocks) agree() bool { return c.process.Sub(c.server).Abs() <= maxSkew }

// earlier returns the earlier of the two times. It never overestimates the age of a file.
func (c clocks) earlier() time.Time {
	if c.process.Before(c.server) {
		return c.process
	}
	return c.server
}

// later returns the later of the two times. A retention period that starts at it is never too
// short.
func (c clocks) later() time.Time {
	if c.process.Before(c.server) {
		return c.server
	}
	return c.process
}

// ahead reports whether a recorded time is in the future. If it is, a clock was wrong when the time
// was recorded, or is wrong now.
func ahead(moment, now time.Time) bool { return moment.Sub(now) > maxSkew }

// warning returns a text if the clocks disagree, and an empty string if they agree.
func (c clocks) warning() string {
	if c.agree() {
		return ""
	}
	return fmt.Sprintf(
		"the clock of this process shows %s, that of the registry's server %s: no file is deleted by age until they agree",
		c.process.UTC().Format(time.RFC3339), c.server.UTC().Format(time.RFC3339))
}

// warnClock logs warnings about clocks.
func (s *Service) warnClock(ctx context.Context, warnings ...string) {
	for _, w := range warnings {
		if w != "" {
			s.cfg.Logger.WarnContext(ctx, "backup: a clock is wrong, or was", slog.String("reason", w))
		}
	}
}

// Ahead reports whether the snapshot's time is more than a minute after now. Then the server's
// clock was wrong, or the caller's clock is wrong. Such a backup does not count as the newest, and
// retention ignores it until its time has come.
func (i Info) Ahead(now time.Time) bool { return ahead(i.TakenAt, now) }
