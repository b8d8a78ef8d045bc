package tenancy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// SideState is what becomes of a [SideSchema].
type SideState string

const (
	SideBuilding SideState = "building" // is being built, see [Staging]; or was, by a process that is gone
	SideAside    SideState = "aside"    // was a tenant's until [Staging.Replace] or [Manager.RevertReplacement]
	SideDropping SideState = "dropping" // on its way out
)

// SideSchema is a schema beside those that tenants are served from.
type SideSchema struct {
	ID       int64
	Schema   string
	TenantID int64 // 0: it is to become nobody's; a tenant of the id need not be there yet, or any more
	State    SideState
	Used     bool // a tenant was served from it
	Since    time.Time

	placement string
	reopen    bool // the exchange that has set it aside has not ended
}

const sideColumns = "s.id, s.schema_name, s.tenant_id, s.state, s.used, s.since, s.placement, s.reopen"

func scanSide(row pgx.CollectableRow) (s SideSchema, err error) {
	err = row.Scan(&s.ID, &s.Schema, &s.TenantID, &s.State, &s.Used, &s.Since, &s.placement, &s.reopen)
	return s, err
}

// SideSchemas returns the schemas beside those that tenants are served from, by id. ctx governs the query.
func (m *Manager) SideSchemas(ctx context.Context) ([]SideSchema, error) {
	return m.sides(ctx, "true")
}

// Aside returns the schema that was the tenant's before its data was replaced, or [ErrNothingAside].
func (m *Manager) Aside(ctx context.Context, slug string) (SideSchema, error) {
	t, err := m.BySlug(ctx, slug)
	if err != nil {
		return SideSchema{}, err
	}
	s, err := m.asideOf(ctx, t.ID)
	if err != nil {
		return s, fmt.Errorf("tenant %q: %w", slug, err)
	}
	return s, nil
}

func (m *Manager) asideOf(ctx context.Context, tenant int64) (SideSchema, error) {
	all, err := m.sides(ctx, "s.tenant_id = $1 and s.state = 'aside'", tenant)
	if err == nil && len(all) == 0 {
		err = ErrNothingAside
	}
	if err != nil {
		return SideSchema{}, err
	}
	return all[0], nil
}

// sides returns those of which the condition, SQL of ours, holds.
func (m *Manager) sides(ctx context.Context, condition string, args ...any) ([]SideSchema, error) {
	rows, err := initializedQuerier{m.registry}.Query(ctx, "select "+sideColumns+" from {registry}.side_schemas s where "+condition+" order by s.id", args...)
	if err != nil {
		return nil, fmt.Errorf("list side schemas: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanSide)
	if err != nil {
		return nil, fmt.Errorf("list side schemas: %w", err)
	}
	return all, nil
}

// schemasOf returns the tenant's schema and those that were.
func (m *Manager) schemasOf(ctx context.Context, t *Tenant) ([]string, error) {
	schemas := []string{t.Schema}
	sides, err := m.sides(ctx, "s.tenant_id = $1 and s.used", t.ID)
	for _, s := range sides {
		schemas = append(schemas, s.Schema)
	}
	return schemas, err
}

// markSide gives a side schema another state, if it has the one that it was read in. Then it is ours to drop.
func (m *Manager) markSide(ctx context.Context, s *SideSchema, state SideState) (marked bool, err error) {
	tag, err := m.registry.Exec(ctx, "update {registry}.side_schemas set state = $3 where id = $1 and state = $2", s.ID, s.State, state)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	s.State = state
	return true, nil
}

// dropSide drops a schema that is marked for it, and forgets it. A schema that is not the owner's
// stays. If a tenant has had it, that is an error, as it holds the tenant's data and its owner or
// role was changed. If no tenant has had it, its name is forgotten, too: the numbers in it are not
// given out twice.
func (m *Manager) dropSide(ctx context.Context, s *SideSchema) error {
	server, err := m.server(&Tenant{Placement: s.placement})
	if err != nil {
		return err
	}
	_, err = admin.Deprovision(ctx, server, m.cfg.Roles, s.Schema, m.cfg.Drop.Options)
	foreign := errors.Is(err, admin.ErrTaken) || errors.Is(err, schemactx.ErrNotProvisioned)
	if err != nil && (s.Used || !foreign) {
		return err
	}
	return m.forgetSide(ctx, s)
}

// forgetSide takes the rows: two statements in one transaction, as the one refers to the other.
func (m *Manager) forgetSide(ctx context.Context, s *SideSchema) error {
	return pgx.BeginFunc(ctx, m.registry, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "delete from {registry}.side_schemas where id = $1", s.ID); err != nil || s.Used {
			return err
		}
		_, err := tx.Exec(ctx, "delete from {registry}.schema_names where name = $1", s.Schema)
		return err
	})
}

// dropSidesOf drops the side schemas of a tenant that is being dropped. A schema that a session has
// begun to build since the drop was allowed is an error: if it were dropped now, the session could
// make it again. The drop can be resumed when that session has ended. No other session can begin to
// build, as the tenant's status is dropping.
func (m *Manager) dropSidesOf(ctx context.Context, l *lease, t *Tenant) error {
	if err := l.checkBuilding(ctx, t); err != nil {
		return err
	}
	all, err := m.sides(ctx, "s.tenant_id = $1", t.ID)
	if err != nil {
		return err
	}
	for _, s := range all {
		if _, err := m.markSide(ctx, &s, SideDropping); err != nil {
			return err
		}
		if err := m.dropSide(ctx, &s); err != nil {
			return err
		}
	}
	return nil
}
