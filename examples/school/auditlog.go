package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// openLog opens the access log. It has a handle of its own on the runtime login: what hooks tell it
// of must not lead to more of the same.
func openLog(
	ctx context.Context,
	runtime *pgxpool.Pool,
	database *database,
	dataDir string,
	logger *slog.Logger,
) (*audit.Log, error) {
	db, err := schemactx.New(runtime, schemactx.Config{Roles: database.roles, ExtraSearchPath: database.extra})
	if err != nil {
		return nil, err
	}
	// Each process needs a directory of its own for what the database cannot take just now. It takes
	// the first that is free, and goes on with what one before it has left there.
	for n := 1; ; n++ {
		log, err := audit.Open(ctx, db, audit.Config{
			Spill:  audit.SpillConfig{Dir: filepath.Join(dataDir, auditDir, strconv.Itoa(n))},
			Logger: logger,
		})
		if !errors.Is(err, audit.ErrSpillInUse) {
			return log, err
		}
	}
}

// initLog lets requests add to the log, and nothing else, and makes room for the months to come.
func (p *platform) initLog(ctx context.Context, roles schemactx.RoleNames) error {
	if err := audit.Grant(ctx, p.owner, audit.Rights{Writers: []string{roles.Public()}}); err != nil {
		return err
	}
	return p.keepLog(ctx)
}

// keepLog keeps a year of the log.
func (p *platform) keepLog(ctx context.Context) error {
	maintainer, err := audit.NewPartitionMaintainer(p.owner, audit.PartitionMaintainerConfig{Keep: 12})
	if err != nil {
		return err
	}
	_, err = maintainer.Maintain(ctx)
	return err
}

// keepLogDaily does it every day until ctx ends.
func (p *platform) keepLogDaily(ctx context.Context) {
	day := time.NewTicker(24 * time.Hour)
	defer day.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-day.C:
			if err := p.keepLog(ctx); err != nil {
				p.logger.ErrorContext(ctx, "access log is not kept", slog.Any("error", err))
			}
		}
	}
}

// logged is which requests are in the log: all that failed, and all that may change something.
// Those are not served if they cannot be logged.
var logged = audit.MiddlewareConfig{
	Policy:    audit.Any(audit.Writes, audit.Failures),
	Required:  audit.Writes,
	RequestID: func(r *http.Request) string { return tenanthttp.RequestID(r.Context()) },
}
