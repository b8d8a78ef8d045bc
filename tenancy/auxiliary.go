package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// AuxiliarySchema is a schema beside those that tenants are served from: one that is retained after a
// replacement, or one that a [Staging] builds, or that the Staging of an ended process has left.
type AuxiliarySchema struct {
	ID       int64
	Schema   string
	TenantID int64 // 0: for no tenant; a tenant of the id need not be there yet, or any more
	Retained bool  // a tenant was served from it, before its schema was replaced
	Since    time.Time

	placement string
}

const auxiliaryColumns = "s.id, s.schema_name, s.tenant_id, s.used, s.since, s.placement"

func scanAuxiliary(row pgx.CollectableRow) (s AuxiliarySchema, err error) {
	err = row.Scan(&s.ID, &s.Schema, &s.TenantID, &s.Retained, &s.Since, &s.placement)
	return s, err
}

// AuxiliarySchemas returns the schemas beside those that tenants are served from, by id. ctx governs the
// query.
func (m *Manager) AuxiliarySchemas(ctx context.Context) ([]AuxiliarySchema, error) {
	return m.queryAuxiliary(ctx, "true")
}

// Aside returns the schema that was the tenant's before its data was replaced, or
// [ErrNoRetainedSchema].
func (m *Manager) RetainedSchema(ctx context.Context, slug string) (AuxiliarySchema, error) {
	t, err := m.BySlug(ctx, slug)
	if err != nil {
		return AuxiliarySchema{}, err
	}
	s, err := m.retainedOf(ctx, t.ID)
	if err != nil {
		return s, fmt.Errorf("tenant %q: %w", slug, err)
	}
	return s, nil
}

// retainedOf returns the tenant's retained schema.
func (m *Manager) retainedOf(ctx context.Context, tenant int64) (AuxiliarySchema, error) {
	return m.retainedWhere(ctx, tenant, "true")
}

// retainedWhere returns the tenant's retained schema, if the condition, SQL with arguments from $2,
// holds of it.
func (m *Manager) retainedWhere(ctx context.Context, tenant int64, condition string, args ...any) (AuxiliarySchema, error) {
	all, err := m.queryAuxiliary(ctx, "s.tenant_id = $1 and s.used and "+condition, append([]any{tenant}, args...)...)
	if err != nil {
		return AuxiliarySchema{}, err
	}
	if len(all) == 0 {
		return AuxiliarySchema{}, ErrNoRetainedSchema
	}
	return all[0], nil
}

// queryAuxiliary returns those of which the condition, SQL of ours, holds.
func (m *Manager) queryAuxiliary(ctx context.Context, condition string, args ...any) ([]AuxiliarySchema, error) {
	rows, err := initializedQuerier{m.registry}.Query(ctx, "select "+auxiliaryColumns+" from {registry}.side_schemas s where "+
		condition+" order by s.id", args...)
	if err != nil {
		return nil, fmt.Errorf("list side schemas: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanAuxiliary)
	if err != nil {
		return nil, fmt.Errorf("list side schemas: %w", err)
	}
	return all, nil
}

// schemasOf returns the tenant's schema and those that were.
func (m *Manager) schemasOf(ctx context.Context, t *Tenant) ([]string, error) {
	schemas := []string{t.Schema}
	auxiliary, err := m.queryAuxiliary(ctx, "s.tenant_id = $1 and s.used", t.ID)
	for _, s := range auxiliary {
		schemas = append(schemas, s.Schema)
	}
	return schemas, err
}

// dropAuxiliary drops a schema and forgets it. The caller holds the lock of the schema or of its tenant.
func (m *Manager) dropAuxiliary(ctx context.Context, l *lock, s *AuxiliarySchema) error {
	if err := l.ping(ctx); err != nil {
		return err
	}
	return l.hold(ctx, func(ctx context.Context) error {
		if err := m.deprovisionAuxiliary(ctx, s); err != nil {
			return err
		}
		return l.deleteAuxiliary(ctx, s)
	})
}

// deprovisionAuxiliary drops a schema. A schema that does not belong to the owner role stays. If a
// tenant was served from it, that is an error, as it holds the tenant's data and its owner or role
// was changed.
func (m *Manager) deprovisionAuxiliary(ctx context.Context, s *AuxiliarySchema) error {
	server, err := m.server(&Tenant{Placement: s.placement})
	if err != nil {
		return err
	}
	_, err = admin.Deprovision(ctx, server, m.cfg.Roles, s.Schema, m.cfg.Drop.Options)
	foreign := errors.Is(err, admin.ErrTaken) || errors.Is(err, schemactx.ErrNotProvisioned)
	if foreign && !s.Retained {
		return nil
	}
	return err
}

// deleteAuxiliary deletes the row. The name of a schema that no tenant has had is deleted, too: the
// numbers in it are not given out twice.
func (l *lock) deleteAuxiliary(ctx context.Context, s *AuxiliarySchema) error {
	return l.use(func(conn *registrydb.Conn) error {
		_, err := conn.Exec(ctx, `with side as (delete from {registry}.side_schemas where id = $1 returning schema_name, used)
			delete from {registry}.schema_names where name in (select schema_name from side where not used)`, s.ID)
		return initialized(err)
	})
}

// dropAuxiliaryOf drops the side schemas of a tenant that is being dropped. A schema that a session has
// begun to build since the drop was allowed is an error: if it were dropped now, the session could
// make it again. The drop can be resumed when that session has ended. No other session can begin to
// build, as the tenant's status is dropping.
func (m *Manager) dropAuxiliaryOf(ctx context.Context, l *lock, t *Tenant) error {
	if err := l.checkBuilding(ctx, t); err != nil {
		return err
	}
	all, err := m.queryAuxiliary(ctx, "s.tenant_id = $1", t.ID)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := m.dropAuxiliary(ctx, l, &s); err != nil {
			return err
		}
	}
	return nil
}

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
	all, err := m.queryAuxiliary(ctx, "not s.used")
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
		dropped, err := m.sweepStaged(ctx, l, &s)
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

// sweepStaged drops a schema under its lock, which l keeps until it is released.
func (m *Manager) sweepStaged(ctx context.Context, l *lock, s *AuxiliarySchema) (dropped bool, err error) {
	if held, err := l.try(ctx, auxiliaryKey(s.ID)); err != nil || !held {
		return false, err
	}
	// It may be a tenant's by now.
	left, err := m.queryAuxiliary(ctx, "s.id = $1 and not s.used and s.schema_name = $2", s.ID, s.Schema)
	if err != nil || len(left) == 0 {
		return false, err
	}
	return true, m.dropAuxiliary(ctx, l, s)
}
