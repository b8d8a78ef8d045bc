package audit

import (
	"context"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// MigrateEvents returns a function for [migrate.UpAllOptions].Events that logs each schema that a
// run has migrated or failed to migrate, with its tenant, the outcome, and the applied versions. It
// reads the tenants of the schemas once from the registry, with the log's own login;
// [tenancy.Manager.Init] grants the privilege. If it cannot read them, it logs the reason, and the
// entries contain only the schema. Entries of stocked tenants contain only the schema, too.
func (l *Log) MigrateEvents(ctx context.Context) func(migrate.Event) {
	tenants := sync.OnceValue(func() map[string]*tenancy.Tenant { return l.tenants(ctx) })
	return func(e migrate.Event) {
		if e.Kind == migrate.EventFinished {
			l.record(ctx, migrationEntry(e, tenants()[e.Schema]))
		}
	}
}

func migrationEntry(e migrate.Event, t *tenancy.Tenant) Entry {
	entry := Entry{Schema: e.Schema, Action: Migration, Details: map[string]any{"outcome": string(e.Result.Outcome)}}
	if t != nil {
		entry.Tenant, entry.Slug = t.ID, t.Slug
	}
	if len(e.Result.Applied) > 0 {
		entry.Details["applied"] = e.Result.Applied
	}
	return withError(entry, e.Result.Err)
}

// tenants returns the tenants by schema, or an empty map on failure.
func (l *Log) tenants(ctx context.Context) map[string]*tenancy.Tenant {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.WriteTimeout)
	defer cancel()
	ctx = context.WithValue(schemactx.NewPublicContext(ctx), internalKey{}, true)
	found := make(map[string]*tenancy.Tenant)
	err := pgx.BeginFunc(ctx, l.db, func(tx pgx.Tx) error {
		registry, err := tenancy.NewRegistry(tx).InSchema(l.schema.Name())
		if err != nil {
			return err
		}
		for route, err := range registry.Routes(ctx, tenancy.RouteFilter{}) {
			if err != nil {
				return err
			}
			found[route.Tenant.Schema] = route.Tenant
		}
		return nil
	})
	if err != nil {
		l.cfg.Logger.WarnContext(ctx, "migrations are logged without their tenants", slog.Any("error", err))
	}
	return found
}
