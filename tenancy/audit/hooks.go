package audit

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// maxDetail is the maximum length of an error, a reason or a function name in the details of a
// hook's entry, in bytes.
const maxDetail = 500

// NotifyDrop logs the progress of a drop with [Log.Write], for [tenancy.DropConfig].Notify: the
// entry is in the database before the caller gets its answer. A notification cannot refuse the
// drop. An entry that cannot be written is recorded in the queue, and the reason is logged. To
// prevent drops that cannot be logged, use [Log.ApproveDrop].
func (l *Log) NotifyDrop(ctx context.Context, e tenancy.DropEvent) {
	actions := map[tenancy.DropPhase]Action{
		tenancy.DropRequested: DropRequested, tenancy.DropApproved: DropApproved, tenancy.DropRefused: DropRefused,
		tenancy.DropStarted: DropStarted, tenancy.DropStopped: DropStopped, tenancy.DropDone: DropDone,
	}
	entry := Entry{
		Tenant: e.Tenant.ID, Slug: e.Slug, Schema: e.Tenant.Schema, Action: actions[e.Phase], Actor: e.Actor,
		Details: map[string]any{"op": string(e.Op)},
	}
	if e.Schema != "" { // only this schema is dropped, and not the tenant
		entry.Schema = e.Schema
	}
	if e.RequestID != 0 {
		entry.Details["drop_request"] = e.RequestID
	}
	l.writeOrRecord(ctx, withError(entry, e.Err))
}

// ApproveDrop returns a [tenancy.Approver] that approves a drop if next approves it and the entry
// is in the log. Set it as [tenancy.DropConfig].Approve to prevent drops that are not logged. A nil
// next approves everything.
func (l *Log) ApproveDrop(next tenancy.Approver) tenancy.Approver {
	return tenancy.ApproverFunc(func(ctx context.Context, data tenancy.ApprovalData) error {
		if next != nil {
			if err := next.Approve(ctx, data); err != nil {
				return err
			}
		}
		op, schema := tenancy.OpDrop, data.Tenant.Schema
		if data.Request.Schema != "" {
			op, schema = tenancy.OpConfirm, data.Request.Schema
		}
		return l.Write(ctx, Entry{
			Tenant: data.Tenant.ID, Slug: data.Tenant.Slug, Schema: schema, Action: DropApproved, Actor: data.Actor,
			Details: map[string]any{"op": string(op), "drop_request": data.Request.ID},
		})
	})
}

// TenancyHooks returns hooks that log each step of each operation of a [tenancy.Manager] after it
// has run, with its outcome. The hooks of next run first; its Before may refuse.
func (l *Log) TenancyHooks(next tenancy.Hooks) tenancy.Hooks {
	return tenancy.Hooks{
		Before: next.Before,
		After: func(ctx context.Context, data tenancy.StepData) {
			if next.After != nil {
				next.After(ctx, data)
			}
			l.writeOrRecord(ctx, stepEntry(data))
		},
	}
}

func stepEntry(data tenancy.StepData) Entry {
	actions := map[tenancy.Op]Action{
		tenancy.OpCreate:           Create,
		tenancy.OpResume:           Create,
		tenancy.OpStock:            Create,
		tenancy.OpAssignStocked:    AssignStocked,
		tenancy.OpUpdate:           Update,
		tenancy.OpRename:           Rename,
		tenancy.OpSuspend:          Suspend,
		tenancy.OpActivate:         Activate,
		tenancy.OpStartMaintenance: Maintenance,
		tenancy.OpEndMaintenance:   Maintenance,
		tenancy.OpDrop:             DropStep,
	}
	e := Entry{
		Tenant: data.Tenant.ID, Slug: data.Tenant.Slug, Schema: data.Tenant.Schema, Action: actions[data.Op],
		Details: map[string]any{"op": string(data.Op), "step": data.Step},
	}
	switch {
	case data.Step == "migrate":
		e.Action = Migration
	case data.Host != "":
		e.Action = DomainChange
	case e.Action == "": // of a newer tenancy
		e.Action = Configuration
	}
	for key, text := range map[string]string{"host": data.Host, "reason": data.Tenant.Reason} {
		if text != "" {
			e.Details[key] = cut(clean(text), maxDetail)
		}
	}
	if data.Other != nil {
		e.Details["other_tenant"] = data.Other.ID
	}
	return withError(e, data.Err)
}

// SchemaHooks returns hooks that log explicit schema switches of a [schemactx.DB] with their call
// sites, and statements that PostgreSQL refused for a missing privilege (42501). The hooks of next
// run first. Statements are not logged, because their text may contain tenant data. The hooks run
// while a connection of the tenant is held, so they wait for room in the queue for at most
// [Config].WriteTimeout. If a switch must not go unlogged, call [Log.Write] before it.
func (l *Log) SchemaHooks(next schemactx.Hooks) schemactx.Hooks {
	hooks := next
	hooks.SchemaSwitch = func(ctx context.Context, data schemactx.SchemaSwitch) {
		if next.SchemaSwitch != nil {
			next.SchemaSwitch(ctx, data)
		}
		l.record(ctx, Entry{Schema: data.Schema, Action: ExplicitSwitch, Details: map[string]any{
			"from": data.From,
			"to":   data.Schema,
			"func": cut(data.Func, maxDetail),
			"file": path.Base(data.File),
			"line": data.Line,
		}})
	}
	hooks.StatementFailure = func(ctx context.Context, data schemactx.StatementFailure) {
		if next.StatementFailure != nil {
			next.StatementFailure(ctx, data)
		}
		if own, _ := ctx.Value(internalKey{}).(bool); own || stateOf(data.Err) != stateInsufficientRights {
			return // its own failures would lead to more of them
		}
		e := Entry{Schema: data.Schema, Action: PermissionDenied, Details: map[string]any{"command": firstWord(data.SQL)}}
		l.record(ctx, withError(e, data.Err))
	}
	return hooks
}

// withError adds the parts of an error that contain no tenant data: of an error of the server, its
// SQLSTATE and its message.
func withError(e Entry, err error) Entry {
	if err == nil {
		return e
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		e.Details["sqlstate"], e.Details["error"] = pgErr.Code, cut(clean(pgErr.Message), maxDetail)
	} else {
		e.Details["error"] = cut(clean(err.Error()), maxDetail)
	}
	return e
}

// firstWord returns the command of a statement. For a statement that starts with a comment it
// returns "".
func firstWord(sql string) string {
	sql = strings.TrimSpace(sql)
	end := strings.IndexFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if end >= 0 {
		sql = sql[:end]
	}
	return strings.ToLower(cut(sql, 32))
}

// writeOrRecord logs an entry that must be in the log and can no longer be refused. ctx may have
// ended.
func (l *Log) writeOrRecord(ctx context.Context, e Entry) {
	ctx = context.WithoutCancel(ctx)
	entry, err := e.entry(ctx, l.cfg.Clock())
	if err == nil {
		if err = l.write(ctx, entry); err == nil {
			return
		}
		l.cfg.Logger.WarnContext(
			ctx,
			"audit entry is recorded, as it cannot be written",
			slog.String("action", string(e.Action)),
			slog.Any("error", err),
		)
		wait, cancel := context.WithTimeout(ctx, l.cfg.WriteTimeout)
		defer cancel()
		err = l.put(wait, &entry)
	}
	if err != nil {
		l.cfg.Logger.ErrorContext(
			ctx,
			"audit entry is lost",
			slog.String("action", string(e.Action)),
			slog.Int64("tenant", e.Tenant),
			slog.Any("error", err),
		)
	}
}

// record logs an entry of a hook, which cannot return an error. It waits at most as long as for the
// database, because the hook may hold the connection that the writer needs. A client that
// disconnects cannot prevent the entry.
func (l *Log) record(ctx context.Context, e Entry) {
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.WriteTimeout)
	defer cancel()
	if err := l.Record(wait, e); err != nil {
		l.cfg.Logger.ErrorContext(
			ctx,
			"audit entry is lost",
			slog.String("action", string(e.Action)),
			slog.String("schema", e.Schema),
			slog.Any("error", err),
		)
	}
}
