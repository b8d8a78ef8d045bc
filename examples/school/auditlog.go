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

// openLog opens the access log. The log has its own handle on the runtime login: the hooks of the
// other handle write to the log, and a write of the log must not call them again.
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
	// Each process needs its own directory for entries that the database cannot take at the moment. It
	// uses the first free directory and continues with the entries that an earlier process left there.
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

// initLog grants the request role the right to add entries to the log, and creates the partitions
// for the coming months.
func (p *platform) initLog(ctx context.Context, roles schemactx.RoleNames) error {
	if err := audit.Grant(ctx, p.owner, audit.Rights{Writers: []string{roles.Public()}}); err != nil {
		return err
	}
	return p.keepLog(ctx)
}

// keepLog maintains the partitions of the log. It keeps 12 months.
func (p *platform) keepLog(ctx context.Context) error {
	maintainer, err := audit.NewPartitionMaintainer(p.owner, audit.PartitionMaintainerConfig{Keep: 12})
	if err != nil {
		return err
	}
	_, err = maintainer.Maintain(ctx)
	return err
}

// keepLogDaily runs keepLog once a day until ctx ends. It logs errors.
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

// logged selects the requests that are in the log: all that fail, and all that may write. A request
// that may write is refused if it cannot be logged.
var logged = audit.MiddlewareConfig{
	Policy:    audit.Any(audit.Writes, audit.Failures),
	Required:  audit.Writes,
	RequestID: func(r *http.Request) string { return tenanthttp.RequestID(r.Context()) },
}
