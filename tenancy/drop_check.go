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

// checkConfirm is checkDrop for a retained schema. begun says that an earlier call has begun to
// drop it.
func (m *Manager) checkConfirm(
	ctx context.Context, t *Tenant, side *AuxiliarySchema, begun bool, p DropParams,
) (request int64, err error) {
	r, err := m.checkToken(ctx, t, side.Schema, p)
	if err == nil && !begun {
		err = m.checkRetainedBackup(ctx, t, side)
	}
	if err == nil && !begun {
		err = m.checkRetainedDependents(ctx, side)
	}
	if err == nil {
		err = m.checkApproval(ctx, t, p, r)
	}
	if err != nil {
		err = fmt.Errorf("%s of tenant %q: %w", OpConfirm, p.Slug, err)
	}
	return r.ID, err
}

// checkDrop returns the request that allows the drop of the tenant, which is locked. What costs a
// person something, a one-time password, is asked for last.
func (m *Manager) checkDrop(ctx context.Context, l *lock, t *Tenant, p DropParams) (request int64, err error) {
	r, err := m.checkToken(ctx, t, "", p)
	if err == nil {
		err = checkSchema(t)
	}
	if err == nil {
		err = l.checkBuilding(ctx, t)
	}
	if err == nil {
		err = m.checkBackup(ctx, t)
	}
	if err == nil {
		err = m.checkRetainedBackupOf(ctx, t)
	}
	if err == nil {
		err = m.checkDependents(ctx, t)
	}
	if err == nil {
		err = m.checkApproval(ctx, t, p, r)
	}
	if err != nil {
		err = fmt.Errorf("drop tenant %q: %w", p.Slug, err)
	}
	return r.ID, err
}

// checkToken finds the request by the token's hash, so that no comparison takes longer the more of
// the token is right. A request from the future has expired: a clock was wrong when it was made,
// and it would be valid for as long as that.
func (m *Manager) checkToken(ctx context.Context, t *Tenant, schema string, p DropParams) (DropRequest, error) {
	r := DropRequest{Tenant: *t, Schema: schema, Actor: p.Actor}
	var expired bool
	err := m.registry.QueryRow(ctx, `select id, requested_at, expires_at, approved_by,
			expires_at <= clock_timestamp() or requested_at > clock_timestamp() + $5 * interval '1 millisecond'
		from {registry}.drop_requests
		where token_hash = $1 and tenant_id = $2 and actor = $3 and schema_name = $4 and used_at is null`,
		hashToken(p.Token, schema), t.ID, p.Actor, schema, maxSkew.Milliseconds()).
		Scan(&r.ID, &r.RequestedAt, &r.ExpiresAt, &r.ApprovedBy, &expired)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r, ErrDropToken
	case err != nil:
		return r, err
	case expired:
		return r, ErrDropExpired
	case m.cfg.Drop.FourEyes && r.ApprovedBy == "":
		return r, fmt.Errorf("%w: nobody else has approved request %d", ErrDropNotApproved, r.ID)
	}
	return r, nil
}

// checkSchema refuses what can be no tenant's schema, whatever the registry says.
func checkSchema(t *Tenant) error {
	if t.Operation != nil && t.Operation.Op == OpRename {
		return &BusyError{Op: OpDrop, Tenant: *t}
	}
	return schemactx.ValidateName(t.Schema)
}

// checkBuilding returns ErrStatus while a session builds a schema that is to replace the tenant's:
// the drop would leave it behind. The drop gets the locks of side schemas that no session builds
// any more, and removes these.
func (l *lock) checkBuilding(ctx context.Context, t *Tenant) error {
	building, err := l.m.queryAuxiliary(ctx, "s.tenant_id = $1 and not s.used", t.ID)
	if err != nil {
		return err
	}
	for _, s := range building {
		held, err := l.try(ctx, auxiliaryKey(s.ID))
		if err == nil && !held {
			err = fmt.Errorf("%w: a session builds schema %q to replace the tenant's", ErrStatus, s.Schema)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxSkew is how much later than ours the clock of a backup may be.
const maxSkew = time.Minute

// checkBackup demands a fresh backup of a tenant that is whole.
func (m *Manager) checkBackup(ctx context.Context, t *Tenant) error {
	cfg := m.cfg.Drop
	if cfg.Backups == nil || t.Status == Dropping {
		return nil
	}
	last, err := cfg.Backups.LastBackup(ctx, t)
	if err != nil {
		return fmt.Errorf("ask for the last backup: %w", err)
	}
	err = m.checkAge(ctx, t, last)
	backups, ok := cfg.Backups.(SchemaBackups)
	if err != nil || !ok {
		return err
	}
	// It may be of a schema that was replaced since. Of two that were taken within a second,
	// LastBackup may have returned the earlier one.
	last, err = backups.LastBackupOf(ctx, t, t.Schema, last.Add(time.Second))
	if err != nil {
		return fmt.Errorf("ask for the last backup of schema %q: %w", t.Schema, err)
	}
	return m.checkAge(ctx, t, last)
}

// checkAge returns a BackupError unless the tenant's last backup is fresh.
func (m *Manager) checkAge(ctx context.Context, t *Tenant, last time.Time) error {
	cfg := m.cfg.Drop
	if last.IsZero() {
		return &BackupError{Slug: t.Slug, MaxAge: cfg.MaxBackupAge}
	}
	older, younger, err := m.age(ctx, last)
	if err != nil {
		return err
	}
	switch {
	case younger < -maxSkew:
		return &BackupError{Slug: t.Slug, Last: last, Age: younger, MaxAge: cfg.MaxBackupAge}
	case older > cfg.MaxBackupAge:
		return &BackupError{Slug: t.Slug, Last: last, Age: older, MaxAge: cfg.MaxBackupAge}
	}
	return nil
}

// checkRetainedBackupOf is checkSideBackup for the retained schema that goes with a tenant, if it has
// one.
func (m *Manager) checkRetainedBackupOf(ctx context.Context, t *Tenant) error {
	if m.cfg.Drop.Backups == nil || t.Status == Dropping {
		return nil
	}
	retained, err := m.retainedOf(ctx, t.ID)
	if errors.Is(err, ErrNoRetainedSchema) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.checkRetainedBackup(ctx, t, &retained)
}

// checkRetainedBackup demands a backup of a retained schema that was fresh when the schema was
// replaced. Since then nothing has changed in the schema, and newer backups contain the
// replacement.
func (m *Manager) checkRetainedBackup(ctx context.Context, t *Tenant, side *AuxiliarySchema) error {
	cfg := m.cfg.Drop
	if cfg.Backups == nil {
		return nil
	}
	var last time.Time
	var err error
	if backups, ok := cfg.Backups.(SchemaBackups); ok {
		// The registry and the schema may be on servers whose clocks differ.
		last, err = backups.LastBackupOf(ctx, t, side.Schema, side.Since.Add(maxSkew))
	} else if last, err = cfg.Backups.LastBackup(ctx, t); last.After(side.Since) {
		last = time.Time{}
	}
	if err != nil {
		return fmt.Errorf("ask for the last backup: %w", err)
	}
	age := side.Since.Sub(last)
	if !last.IsZero() && age >= -maxSkew && age <= cfg.MaxBackupAge {
		return nil
	}
	refused := &BackupError{Slug: t.Slug, Schema: side.Schema, Last: last, MaxAge: cfg.MaxBackupAge}
	if !last.IsZero() {
		refused.Age = age
	}
	return refused
}

// age returns how long ago a moment was, by this process's clock and by the clock of the registry's
// server, the longer first. Either clock may be wrong.
func (m *Manager) age(ctx context.Context, moment time.Time) (older, younger time.Duration, err error) {
	var server time.Time
	if err := m.registry.QueryRow(ctx, "select pg_catalog.clock_timestamp()").Scan(&server); err != nil {
		return 0, 0, fmt.Errorf("read the server's clock: %w", err)
	}
	a, b := time.Since(moment), server.Sub(moment)
	return max(a, b), min(a, b), nil
}

// checkApproval asks the approver of the program.
func (m *Manager) checkApproval(ctx context.Context, t *Tenant, p DropParams, r DropRequest) error {
	if m.cfg.Drop.Approve == nil {
		return nil
	}
	err := m.cfg.Drop.Approve.Approve(ctx, ApprovalData{Tenant: *t, Actor: p.Actor, Request: r, Proof: p.Proof})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDropNotApproved, err)
	}
	return nil
}

// checkDependents refuses what the drop of the schema, and of one that is kept aside, would refuse,
// before anybody notices.
func (m *Manager) checkDependents(ctx context.Context, t *Tenant) error {
	server, err := m.server(t)
	if err != nil {
		return err
	}
	schemas, err := m.schemasOf(ctx, t)
	for _, schema := range schemas {
		if err == nil {
			err = admin.CheckDependents(ctx, server, schema)
		}
	}
	return err
}
