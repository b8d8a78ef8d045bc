package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// Defaults and limits of the times in a [DropConfig].
const (
	DefaultDropTTL      = 15 * time.Minute
	MaxDropTTL          = time.Hour
	DefaultMaxBackupAge = 24 * time.Hour
)

// DropConfig enables drops and says what a drop requires. It also applies to retained schemas
// ([Manager.ConfirmReplacement]). The zero value refuses both with [ErrDropDisabled].
//
// It guards the operations of a Manager, and the operations of package backup that use them. It
// cannot guard against other use of the owner's login or of the backup files: SQL, migrations,
// [admin.Deprovision], or the deletion of older backups. If two persons have to agree, neither of
// them may have that access alone.
type DropConfig struct {
	// Enabled allows drops. Default: false.
	Enabled bool

	// TTL is how long the token of [Manager.RequestDrop] is valid, in whole milliseconds. Default:
	// [DefaultDropTTL]; at most [MaxDropTTL].
	TTL time.Duration

	// FourEyes requires that a second person has called [Manager.ApproveDrop]. Default: false.
	FourEyes bool

	// Approve is called last, before a drop begins or continues. It may check a one-time password or
	// a ticket. Default: none.
	Approve Approver

	// Backups makes a fresh backup of the tenant a condition of a drop. To drop a retained schema,
	// alone or with its tenant, there must be a backup of that schema from shortly before it was
	// replaced, see [SchemaBackups]. Default: no backup is required.
	Backups Backups

	// MaxBackupAge is the maximum age of the last backup: now, or for a retained schema at the time
	// when it was replaced. Default: [DefaultMaxBackupAge].
	MaxBackupAge time.Duration

	// Notify is called for each request, approval, drop and refusal, for an access log. It is called
	// before the method returns. Its ctx may have ended, and during a drop the tenant's lock is held
	// (see [ErrNested]). It must be safe for concurrent use. Default: none.
	Notify func(ctx context.Context, e DropEvent)

	// Options are passed to [admin.Deprovision]. Default: the zero value.
	Options admin.DeprovisionOptions
}

// withDefaults validates the times and sets the defaults.
func (c DropConfig) withDefaults() (DropConfig, error) {
	if c.TTL < 0 || c.TTL > MaxDropTTL || c.TTL != c.TTL.Truncate(time.Millisecond) {
		return c, fmt.Errorf("tenancy: Config.Drop.TTL %v is not between 1ms and %v", c.TTL, MaxDropTTL)
	}
	if c.MaxBackupAge < 0 {
		return c, fmt.Errorf("tenancy: Config.Drop.MaxBackupAge %v is negative", c.MaxBackupAge)
	}
	if c.MaxBackupAge > 0 && c.Backups == nil {
		return c, errors.New("tenancy: Config.Drop.MaxBackupAge is set, but Config.Drop.Backups is nil")
	}
	c.TTL = cmp.Or(c.TTL, DefaultDropTTL)
	c.MaxBackupAge = cmp.Or(c.MaxBackupAge, DefaultMaxBackupAge)
	return c, nil
}

// Approver gives the last approval of a drop.
type Approver interface {
	// Approve returns nil if the drop may begin or continue now. Otherwise [Manager.Drop] returns
	// [ErrDropNotApproved] and the error. The tenant's lock is held during the call. So Approve should
	// not wait for a person, and operations of the manager on tenants return [ErrNested]. It must be
	// safe for concurrent use.
	Approve(ctx context.Context, data ApprovalData) error
}

// ApproverFunc is a function that implements [Approver].
type ApproverFunc func(ctx context.Context, data ApprovalData) error

// Approve calls f.
func (f ApproverFunc) Approve(ctx context.Context, data ApprovalData) error { return f(ctx, data) }

// ApprovalData describes the drop that an [Approver] decides on.
type ApprovalData struct {
	Tenant  Tenant
	Actor   string      // the person who drops
	Request DropRequest // without its token; for the tenant, or only for its retained Schema
	Proof   string      // as in [DropParams]; must not be logged
}

// Backups tells when tenants were backed up.
type Backups interface {
	// LastBackup returns the start time of the tenant's last backup that can be restored, or the zero
	// time if there is none. The tenant's lock is held during the call: with this ctx, operations of
	// the manager on tenants return [ErrNested]. It must be safe for concurrent use.
	LastBackup(ctx context.Context, t *Tenant) (time.Time, error)
}

// SchemaBackups is an optional interface of [Backups] that know which schema a backup contains.
// [Manager.ConfirmReplacement] and [Manager.Drop] ask it for a backup of the retained schema that
// they drop. Drop also asks it for a backup of the tenant's schema under its current name: after a
// rename or a replacement, the tenant has to be backed up again.
//
// From Backups without this interface, a retained schema needs a last backup that was started
// before the replacement, because a later one contains the replacement.
type SchemaBackups interface {
	Backups

	// LastBackupOf is LastBackup for backups of the schema that were started before the given time.
	LastBackupOf(ctx context.Context, t *Tenant, schema string, before time.Time) (time.Time, error)
}

// BackupsFunc is a function that implements [Backups].
type BackupsFunc func(ctx context.Context, t *Tenant) (time.Time, error)

// LastBackup calls f.
func (f BackupsFunc) LastBackup(ctx context.Context, t *Tenant) (time.Time, error) { return f(ctx, t) }

// DropPhase is the phase of a drop that a [DropEvent] reports.
type DropPhase string

const (
	DropRequested DropPhase = "requested" // a token was issued
	DropApproved  DropPhase = "approved"  // a second person has approved
	DropRefused   DropPhase = "refused"   // a request, an approval or a drop; nothing was changed
	DropStarted   DropPhase = "started"   // all checks have passed; the drop begins or continues
	DropStopped   DropPhase = "stopped"   // a step failed, see Err; the drop can be continued
	DropDone      DropPhase = "done"      // the tenant, or its retained Schema, was dropped
)

// DropEvent is what [DropConfig].Notify receives. After [DropStarted], the event of the outcome is
// missing if the process was killed.
type DropEvent struct {
	Phase     DropPhase
	Op        Op     // [OpRequestDrop], [OpApproveDrop], [OpDrop] or [OpConfirm]
	Actor     string // as given by the caller
	Slug      string // as given by the caller, or that of the tenant
	Tenant    Tenant // the zero value if none was found
	Schema    string // the retained schema to drop; empty: the tenant is dropped
	RequestID int64  // 0 if none was found
	Err       error  // the error of DropRefused and DropStopped; else nil
}

// notify logs the event and calls [DropConfig].Notify.
func (m *Manager) notify(ctx context.Context, e DropEvent) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("op", string(e.Op)), slog.String("tenant", e.Slug), slog.String("actor", e.Actor),
		slog.Int64("request", e.RequestID),
	}
	if e.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	m.cfg.Logger.LogAttrs(ctx, level, "drop "+string(e.Phase), attrs...)
	if m.cfg.Drop.Notify != nil {
		m.cfg.Drop.Notify(ctx, e)
	}
}

// outcome reports the result of a call: done if err is nil, else [DropRefused]. It returns err.
func (m *Manager) outcome(ctx context.Context, e DropEvent, done DropPhase, err error) error {
	e.Phase = done
	if err != nil {
		e.Phase, e.Err = DropRefused, err
	}
	m.notify(ctx, e)
	return err
}
