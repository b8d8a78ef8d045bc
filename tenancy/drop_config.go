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

// The times of a [DropConfig] that does not say otherwise, and the most it may say.
const (
	DefaultDropTTL      = 15 * time.Minute
	MaxDropTTL          = time.Hour
	DefaultMaxBackupAge = 24 * time.Hour
)

// DropConfig says whether tenants can be dropped and what has to be there first. It also applies to
// the schema that a replacement has retained ([Manager.ConfirmReplacement]). The zero value refuses
// both with [ErrDropDisabled].
//
// It guards the operations of a Manager, and those of package backup that are made of them. It
// cannot guard what has the owner's login or the store's files otherwise: SQL, also that of
// migrations up and down, [admin.Deprovision], or the removal of older backups. A program that
// demands two people must not give one of them these.
type DropConfig struct {
	// Enabled allows drops. Default: false.
	Enabled bool

	// TTL is how long the token of [Manager.RequestDrop] is good for, in whole milliseconds. Default:
	// [DefaultDropTTL]; at most [MaxDropTTL].
	TTL time.Duration

	// FourEyes demands that a person other than the one who drops has called [Manager.ApproveDrop].
	// Default: false, nobody need to.
	FourEyes bool

	// Approve is asked last before each drop begins, or goes on: for a one-time password, or a
	// ticket. Default: nobody is asked.
	Approve Approver

	// Backups demands that the tenant has been backed up lately. To drop a retained schema, alone or
	// with its tenant, it demands a backup of that schema from shortly before it was replaced, see
	// [SchemaBackups]. Default: none are demanded.
	Backups Backups

	// MaxBackupAge is how old the last backup may be: now, or when the retained schema was replaced.
	// Default: [DefaultMaxBackupAge].
	MaxBackupAge time.Duration

	// Notify is told of every request, approval, drop and refusal, for an access log. It is called
	// before the caller has its answer, with a ctx that may be over and inside of a drop holds the
	// tenant's lock (see [ErrNested]), and must be safe for concurrent use. Default: none.
	Notify func(ctx context.Context, e DropEvent)

	// Options say how the schema is dropped. Default: those of [admin.Deprovision].
	Options admin.DeprovisionOptions
}

// withDefaults checks the times and fills in what lacks.
func (c DropConfig) withDefaults() (DropConfig, error) {
	if c.TTL < 0 || c.TTL > MaxDropTTL || c.TTL != c.TTL.Truncate(time.Millisecond) {
		return c, fmt.Errorf("tenancy: Config.Drop.TTL %v is not between 1ms and %v", c.TTL, MaxDropTTL)
	}
	if c.MaxBackupAge < 0 {
		return c, fmt.Errorf("tenancy: Config.Drop.MaxBackupAge %v is negative", c.MaxBackupAge)
	}
	if c.MaxBackupAge > 0 && c.Backups == nil {
		return c, errors.New("tenancy: Config.Drop.MaxBackupAge is set and Config.Drop.Backups, which knows ages, is nil")
	}
	c.TTL = cmp.Or(c.TTL, DefaultDropTTL)
	c.MaxBackupAge = cmp.Or(c.MaxBackupAge, DefaultMaxBackupAge)
	return c, nil
}

// Approver gives the second approval of a drop.
type Approver interface {
	// Approve returns nil if the tenant may be dropped now. Its error is wrapped by what
	// [Manager.Drop] returns, together with [ErrDropNotApproved]. The tenant's lock is held meanwhile:
	// it should not wait for people, and operations of the manager on tenants are [ErrNested]. It is
	// safe for concurrent use.
	Approve(ctx context.Context, data ApprovalData) error
}

// ApproverFunc is a function as an [Approver].
type ApproverFunc func(ctx context.Context, data ApprovalData) error

// Approve calls f.
func (f ApproverFunc) Approve(ctx context.Context, data ApprovalData) error { return f(ctx, data) }

// ApprovalData is what an [Approver] decides on.
type ApprovalData struct {
	Tenant  Tenant
	Actor   string      // who drops
	Request DropRequest // without its token; for the tenant, or only for its retained Schema
	Proof   string      // as in [DropParams]; to be checked, and not to be logged
}

// Backups knows when tenants were backed up.
type Backups interface {
	// LastBackup returns when the last backup of the tenant that can be restored was begun, the zero
	// time if there is none. The tenant's lock is held meanwhile: operations of the manager on
	// tenants, with this ctx, are [ErrNested]. It is safe for concurrent use.
	LastBackup(ctx context.Context, t *Tenant) (time.Time, error)
}

// SchemaBackups is implemented by [Backups] that also know which schema a backup contains.
// [Manager.ConfirmReplacement] and [Manager.Drop] ask them for a backup of the retained schema that
// they drop, and Drop also for one of the tenant's schema, under the name that it has: after a
// rename or a replacement the tenant has to be backed up again. For a retained schema they take of
// other Backups only a last backup that was begun before the replacement: a later one contains the
// replacement.
type SchemaBackups interface {
	Backups

	// LastBackupOf is LastBackup for backups of the schema that were begun before the given time.
	LastBackupOf(ctx context.Context, t *Tenant, schema string, before time.Time) (time.Time, error)
}

// BackupsFunc is a function as [Backups].
type BackupsFunc func(ctx context.Context, t *Tenant) (time.Time, error)

// LastBackup calls f.
func (f BackupsFunc) LastBackup(ctx context.Context, t *Tenant) (time.Time, error) { return f(ctx, t) }

// DropPhase is how far a drop has come.
type DropPhase string

const (
	DropRequested DropPhase = "requested" // a token was given out
	DropApproved  DropPhase = "approved"  // by a second pair of eyes
	DropRefused   DropPhase = "refused"   // whatever was asked for; nothing was changed
	DropStarted   DropPhase = "started"   // all that is demanded is there; the tenant goes now
	DropStopped   DropPhase = "stopped"   // at a step, of which Err tells; see [Manager.Drop]
	DropDone      DropPhase = "done"      // the tenant, or its retained Schema, was dropped
)

// DropEvent is what [DropConfig].Notify is told. A process that is killed has told of
// [DropStarted], and may not have of what followed.
type DropEvent struct {
	Phase     DropPhase
	Op        Op     // what was called: [OpRequestDrop], [OpApproveDrop], [OpDrop] or [OpConfirm]
	Actor     string // as given by the caller
	Slug      string // as given by the caller, or the tenant's
	Tenant    Tenant // the zero value where none was found
	Schema    string // the retained schema to drop, see [Manager.ConfirmReplacement]; empty: the tenant is dropped
	RequestID int64  // 0 where none was found
	Err       error  // of DropRefused and DropStopped; else nil
}

// notify notifies of the event, and logs it.
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

// outcome tells of a call's end and returns its error: done, or refused.
func (m *Manager) outcome(ctx context.Context, e DropEvent, done DropPhase, err error) error {
	e.Phase = done
	if err != nil {
		e.Phase, e.Err = DropRefused, err
	}
	m.notify(ctx, e)
	return err
}
