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

// checkConfirm returns the id of the request that allows dropping the retained schema of the
// tenant, which is locked. begun reports whether an earlier call has begun to drop the schema.
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

// checkDrop returns the id of the request that allows dropping the tenant, which is locked. It
// calls the Approver last, because a person may have to enter a one-time password.
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
		err = m.checkRetainedBackups(ctx, t)
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

// checkToken finds the request by the hash of the token, so that the time of a comparison tells
// nothing about the token. A request from the future counts as expired: a clock was wrong when it
// was made, and the request would be valid for too long.
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
		return r, fmt.Errorf("%w: a second person has to approve request %d", ErrDropNotApproved, r.ID)
	}
	return r, nil
}

// checkSchema returns an error while the schema is being renamed or an operation of a later release
// has not ended, and for a name that no tenant's schema can have, whatever the registry says.
func checkSchema(t *Tenant) error {
	if t.Operation != nil && t.Operation.Op == OpRename {
		return &BusyError{Op: OpDrop, Tenant: *t}
	}
	if err := OpDrop.checkKnown(t); err != nil {
		return err
	}
	return schemactx.ValidateName(t.Schema)
}

// checkBuilding returns [ErrStatus] while a session builds a replacement of the tenant's schema:
// the drop would leave that schema behind. It takes the locks of the staged schemas whose session
// has ended, and the drop deletes these schemas.
func (l *lock) checkBuilding(ctx context.Context, t *Tenant) error {
	building, err := l.m.queryAuxiliary(ctx, "s.tenant_id = $1 and not s.used", t.ID)
	if err != nil {
		return err
	}
	for _, s := range building {
		held, err := l.try(ctx, auxiliaryKey(s.ID))
		if err == nil && !held {
			err = fmt.Errorf("%w: a session is building schema %q to replace the tenant's schema", ErrStatus, s.Schema)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxSkew is how far a clock of a server or a backup may be ahead of this process's clock.
const maxSkew = time.Minute

// checkBackup returns a [BackupError] if the tenant has no fresh backup. It does not check a tenant
// whose drop has begun, because part of its data may be gone.
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
	// That backup may be of a schema that was replaced since. Of two backups within one second,
	// LastBackup may have returned the earlier one.
	last, err = backups.LastBackupOf(ctx, t, t.Schema, last.Add(time.Second))
	if err != nil {
		return fmt.Errorf("ask for the last backup of schema %q: %w", t.Schema, err)
	}
	return m.checkAge(ctx, t, last)
}

// checkAge returns a [BackupError] unless last, the time of the last backup, is recent enough.
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

// checkRetainedBackups calls checkRetainedBackup for each retained schema of the tenant.
func (m *Manager) checkRetainedBackups(ctx context.Context, t *Tenant) error {
	if m.cfg.Drop.Backups == nil || t.Status == Dropping {
		return nil
	}
	retained, err := m.allRetained(ctx, t.ID)
	for i := range retained {
		if err == nil {
			err = m.checkRetainedBackup(ctx, t, &retained[i])
		}
	}
	return err
}

// checkRetainedBackup returns a [BackupError] unless a backup of the retained schema was fresh when
// the schema was replaced. The schema has not changed since then, and newer backups contain the
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

// age returns how much time has passed since a moment, by the clock of this process and by the
// clock of the registry's server, the longer time first. Either clock may be wrong.
func (m *Manager) age(ctx context.Context, moment time.Time) (older, younger time.Duration, err error) {
	var server time.Time
	if err := m.registry.QueryRow(ctx, "select pg_catalog.clock_timestamp()").Scan(&server); err != nil {
		return 0, 0, fmt.Errorf("read the server's clock: %w", err)
	}
	a, b := time.Since(moment), server.Sub(moment)
	return max(a, b), min(a, b), nil
}

// checkApproval calls the configured [Approver].
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

// checkDependents returns an [admin.DependentsError] if objects outside of the tenant's schema or
// its retained schema depend on them. Deprovision would refuse the drop for them, after the tenant
// is already out of service.
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
