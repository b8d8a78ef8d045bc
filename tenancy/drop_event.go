package tenancy

import (
	"context"
	"log/slog"
)

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

// tell notifies of the event, and logs it.
func (m *Manager) tell(ctx context.Context, e DropEvent) {
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
	m.tell(ctx, e)
	return err
}
