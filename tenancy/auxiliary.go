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

// AuxiliarySchema is a schema that the registry knows and that serves no tenant. It is a retained
// schema, which a replacement has left, or a staged schema, which a [Staging] builds or has left
// when its process ended.
type AuxiliarySchema struct {
	ID       int64
	Schema   string
	TenantID int64     // the tenant that it belongs to, which may not exist yet or may be dropped; 0: none
	Retained bool      // it was the tenant's schema before a replacement; false: it is staged
	Since    time.Time // when it was staged or retained

	placement string
}

const auxiliaryColumns = "s.id, s.schema_name, s.tenant_id, s.used, s.since, s.placement"

func scanAuxiliary(row pgx.CollectableRow) (s AuxiliarySchema, err error) {
	err = row.Scan(&s.ID, &s.Schema, &s.TenantID, &s.Retained, &s.Since, &s.placement)
	return s, err
}

// AuxiliarySchemas returns all auxiliary schemas, ordered by id. ctx governs the query.
func (m *Manager) AuxiliarySchemas(ctx context.Context) ([]AuxiliarySchema, error) {
	return m.queryAuxiliary(ctx, "true")
}

// RetainedSchema returns the schema that the tenant had before its last replacement. The error is
// [ErrNotFound], or [ErrNoRetainedSchema] if the tenant has none.
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

// retainedWhere returns the tenant's retained schema if it meets the condition, which is SQL with
// arguments from $2. Otherwise the error is [ErrNoRetainedSchema].
func (m *Manager) retainedWhere(
	ctx context.Context, tenant int64, condition string, args ...any,
) (AuxiliarySchema, error) {
	all, err := m.queryAuxiliary(ctx, "s.tenant_id = $1 and s.used and "+condition, append([]any{tenant}, args...)...)
	if err != nil {
		return AuxiliarySchema{}, err
	}
	if len(all) == 0 {
		return AuxiliarySchema{}, ErrNoRetainedSchema
	}
	return all[0], nil
}

// queryAuxiliary returns the auxiliary schemas that meet the condition, which is SQL over the alias
// s.
func (m *Manager) queryAuxiliary(ctx context.Context, condition string, args ...any) ([]AuxiliarySchema, error) {
	rows, err := initializedQuerier{m.registry}.Query(ctx, "select "+auxiliaryColumns+
		" from {registry}.side_schemas s where "+condition+" order by s.id", args...)
	if err != nil {
		return nil, fmt.Errorf("list side schemas: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanAuxiliary)
	if err != nil {
		return nil, fmt.Errorf("list side schemas: %w", err)
	}
	return all, nil
}

// allRetained returns the tenant's retained schemas. A tenant has two if the confirmation of one
// did not end in an earlier release, which may have dropped it.
func (m *Manager) allRetained(ctx context.Context, tenant int64) ([]AuxiliarySchema, error) {
	return m.queryAuxiliary(ctx, "s.tenant_id = $1 and s.used", tenant)
}

// schemasOf returns the names of the tenant's schema and of its retained schemas.
func (m *Manager) schemasOf(ctx context.Context, t *Tenant) ([]string, error) {
	schemas := []string{t.Schema}
	retained, err := m.allRetained(ctx, t.ID)
	for _, s := range retained {
		schemas = append(schemas, s.Schema)
	}
	return schemas, err
}

// dropAuxiliary drops a schema and deletes its row. The caller holds the lock of the schema or of
// its tenant. It reports whether it has dropped the schema: not if the registry no longer has it as
// that auxiliary schema, because it may have become the schema of a tenant.
func (m *Manager) dropAuxiliary(ctx context.Context, l *lock, s *AuxiliarySchema) (dropped bool, err error) {
	err = l.use(func(conn *registrydb.Conn) error {
		return conn.QueryRow(ctx, `select exists (select from {registry}.side_schemas
			where id = $1 and schema_name = $2 and used = $3)`, s.ID, s.Schema, s.Retained).Scan(&dropped)
	})
	if err != nil || !dropped {
		return false, initialized(err)
	}
	return true, l.hold(ctx, func(ctx context.Context) error {
		if _, err := m.deprovisionAuxiliary(ctx, s); err != nil {
			return err
		}
		return l.deleteAuxiliary(ctx, s)
	})
}

// deprovisionAuxiliary drops a schema. refused reports whether it has changed nothing, because the
// schema does not belong to the owner role or other objects depend on it. A schema that does not
// belong to the owner role stays. For a retained schema that is an error: it has the tenant's data,
// and its owner or role was changed.
func (m *Manager) deprovisionAuxiliary(ctx context.Context, s *AuxiliarySchema) (refused bool, err error) {
	server, err := m.server(&Tenant{Placement: s.placement})
	if err != nil {
		return false, err
	}
	report, err := admin.Deprovision(ctx, server, m.cfg.Roles, s.Schema, m.cfg.Drop.Options)
	foreign := errors.Is(err, admin.ErrTaken) || errors.Is(err, schemactx.ErrNotProvisioned)
	if foreign && !s.Retained {
		return false, nil
	}
	var dependents *admin.DependentsError
	return !report.Changed() && (foreign || errors.As(err, &dependents)), err
}

// deleteAuxiliary deletes the row of a schema. It also deletes the reserved name of a staged
// schema, because no tenant has used it, and the number in it is never given out again.
func (l *lock) deleteAuxiliary(ctx context.Context, s *AuxiliarySchema) error {
	return l.use(func(conn *registrydb.Conn) error {
		_, err := conn.Exec(ctx, `with side as (delete from {registry}.side_schemas where id = $1 returning schema_name, used)
			delete from {registry}.schema_names where name in (select schema_name from side where not used)`, s.ID)
		return initialized(err)
	})
}

// dropAuxiliaryOf drops the auxiliary schemas of a tenant that is being dropped. It returns an
// error if a session has begun to build one since the drop was allowed: that session could create
// the schema again. The drop can be resumed when that session has ended. No other session can begin
// to build, because the tenant's status is dropping.
func (m *Manager) dropAuxiliaryOf(ctx context.Context, l *lock, t *Tenant) error {
	if err := l.checkBuilding(ctx, t); err != nil {
		return err
	}
	all, err := m.queryAuxiliary(ctx, "s.tenant_id = $1", t.ID)
	if err != nil {
		return err
	}
	for _, s := range all {
		if _, err := m.dropAuxiliary(ctx, l, &s); err != nil {
			return err
		}
	}
	return nil
}

// SweepReport is the result of [Manager.SweepStagedSchemas].
type SweepReport struct {
	Dropped []string // names of the schemas that it has dropped
	InUse   []string // names of the schemas whose lock another session holds
}

// SweepStagedSchemas drops the staged schemas whose [Staging] has ended without dropping them. It
// does not touch retained schemas, and no schema whose lock a Staging holds. If one schema cannot
// be dropped, it continues with the next. The error joins the errors of all schemas, and the report
// is valid together with it. Several processes may sweep at the same time.
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

// sweepStaged drops a staged schema, if no other session holds its lock. It keeps the lock until l
// is released.
func (m *Manager) sweepStaged(ctx context.Context, l *lock, s *AuxiliarySchema) (dropped bool, err error) {
	if held, err := l.try(ctx, auxiliaryKey(s.ID)); err != nil || !held {
		return false, err
	}
	return m.dropAuxiliary(ctx, l, s)
}
