package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Op is an operation of a [Manager] on a tenant.
type Op string

const (
	OpCreate           Op = "create"             // [Manager.Create]
	OpResume           Op = "resume"             // [Manager.Resume]
	OpUpdate           Op = "update"             // [Manager.Update]
	OpRename           Op = "rename"             // [Manager.Rename]
	OpSuspend          Op = "suspend"            // [Manager.Suspend]
	OpActivate         Op = "activate"           // [Manager.Activate]
	OpStartMaintenance Op = "start maintenance"  // [Manager.StartMaintenance]
	OpEndMaintenance   Op = "end maintenance"    // [Manager.EndMaintenance]
	OpAddDomain        Op = "add domain"         // [Manager.AddDomain]
	OpClaimDomain      Op = "claim domain"       // [Manager.ClaimDomain]
	OpVerifyDomain     Op = "verify domain"      // [Manager.VerifyDomain]
	OpSetPrimaryDomain Op = "set primary domain" // [Manager.SetPrimaryDomain]
	OpRemoveDomain     Op = "remove domain"      // [Manager.RemoveDomain]
	OpMoveDomain       Op = "move domain"        // [Manager.MoveDomain]

	OpRequestDrop   Op = "request drop"   // [Manager.RequestDrop]
	OpApproveDrop   Op = "approve drop"   // [Manager.ApproveDrop]
	OpDrop          Op = "drop"           // [Manager.Drop]
	OpStock         Op = "stock"          // [Manager.Refill]
	OpAssignStocked Op = "assign stocked" // [Manager.AssignStocked]

	OpAdopt   Op = "adopt schema"        // [Staging.Adopt]
	OpReplace Op = "replace schema"      // [Staging.Replace]
	OpConfirm Op = "confirm replacement" // [Manager.ConfirmReplacement]
	OpRevert  Op = "revert replacement"  // [Manager.RevertReplacement]
)

// Hooks are called by a [Manager] before and after each step of an operation on a tenant. Each may
// be nil. They run on the goroutine of the operation, which holds the tenant's lock; with their ctx
// they may read through the manager, and its operations on tenants are [ErrNested]. They must be
// safe for concurrent use.
type Hooks struct {
	// Before is called before a step. Its error stops the operation there, as an error of the
	// step would.
	Before func(ctx context.Context, data StepData) error
	// After is called after a step, with its error.
	After func(ctx context.Context, data StepData)
}

// StepData is what [Hooks] are told.
type StepData struct {
	Op     Op
	Step   string // "schema", "migrate"
	Tenant Tenant // before the step, as it was; after it, as it is
	Err    error  // what the step returned

	Host  string  // the domain of an operation on one, normalised; else empty
	Other *Tenant // the tenant that a domain is moved to; else nil
}

// Operation is an operation on a tenant that has begun and not ended: it is under way, or it has
// stopped. It is a row of the registry, and a tenant has at most one.
type Operation struct {
	Op      Op        `json:"operation"`
	Step    string    `json:"step"`    // to go on with, as in [StepData]; a crash may leave an earlier one
	Failure string    `json:"failure"` // what stopped the last attempt; empty if nothing did; see [MaxFailureLen]
	Actor   string    `json:"actor"`   // who drops; else empty
	BeganAt time.Time `json:"began_at"`

	// Schema is the new name in a rename. In an operation on a replacement it is the tenant's retained
	// schema.
	Schema string `json:"schema"`

	// Reactivate says that the operation has put an active tenant into maintenance, and makes it active
	// again.
	Reactivate bool `json:"reopen"`
}

// operationColumn is SQL for the operation of the tenant t as JSON, null if there is none.
const operationColumn = "(select to_jsonb(o) || o.arguments from {registry}.registry_operations o " +
	"where o.tenant_id = t.id)"

// step is a part of an operation. It can be run again when it, or a later one, has failed.
type step struct {
	name string

	// run is the work on the tenant's server. It is called while the lock is held. Nil: none.
	run func(ctx context.Context) error

	// write changes the registry, and records the progress of the operation with that. Nil: it changes
	// nothing, and after a crash of the process the operation goes on at an earlier step.
	write *change
}

// execution is one call of an operation.
type execution struct {
	m      *Manager
	lock   *lock
	about  StepData  // Op, Host and Other, for the hooks
	tenant *Tenant   // as the operation leaves it
	row    Operation // as it is recorded; without Op the operation is of one step and not recorded
}

// run runs an operation of one transaction, which is not recorded.
func (m *Manager) run(ctx context.Context, l *lock, op Op, t *Tenant, s step) error {
	return (&execution{m, l, StepData{Op: op}, t, Operation{}}).run(ctx, s)
}

// runRecorded runs the steps of an operation that can be resumed. called is the operation that the
// caller has called.
func (m *Manager) runRecorded(ctx context.Context, l *lock, called Op, t *Tenant, row Operation, steps ...step) error {
	return (&execution{m, l, StepData{Op: called}, t, row}).run(ctx, steps...)
}

// run runs the steps in order. The error is a [StepError] of the first that failed.
func (e *execution) run(ctx context.Context, steps ...step) error {
	ctx, over := e.m.begin(ctx)
	defer over()
	for i, s := range steps {
		next := ""
		if i+1 < len(steps) {
			next = steps[i+1].name
		}
		if err := e.step(ctx, s, next); err != nil {
			return e.stopped(ctx, s, err)
		}
	}
	e.log(ctx, slog.LevelInfo, "tenant operation done", slog.String("schema", e.tenant.Schema))
	return nil
}

// stopped records what stopped the operation, and returns it as a [StepError].
func (e *execution) stopped(ctx context.Context, s step, err error) error {
	level := slog.LevelError
	if errors.Is(context.Cause(ctx), context.Canceled) { // the caller stops, such as a program at its end
		level = slog.LevelInfo
	}
	e.log(ctx, level, "tenant operation stopped", slog.String("step", s.name), slog.Any("error", err))
	stepErr := &StepError{Op: e.about.Op, Step: s.name, Host: e.about.Host, Err: err}
	e.recordFailure(ctx, stepErr)
	stepErr.Tenant = *e.tenant
	return stepErr
}

// step runs one step between the hooks. next is the name of the step that follows, empty for the
// last.
func (e *execution) step(ctx context.Context, s step, next string) error {
	data := e.about
	data.Step, data.Tenant = s.name, *e.tenant
	if before := e.m.cfg.Hooks.Before; before != nil {
		if err := before(ctx, data); err != nil {
			return err
		}
	}
	err := e.runStep(ctx, s, next)
	if after := e.m.cfg.Hooks.After; after != nil {
		data.Tenant, data.Err = *e.tenant, err
		after(ctx, data)
	}
	return err
}

// runStep does the work of the step, and then changes the registry. A session that has not been
// used since a hook was called may have ended.
func (e *execution) runStep(ctx context.Context, s step, next string) error {
	if s.run != nil && e.m.cfg.Hooks.Before != nil {
		if err := e.lock.held(ctx); err != nil {
			return err
		}
	}
	if s.run != nil {
		if err := e.lock.hold(ctx, s.run); err != nil {
			return err
		}
	}
	if s.write != nil {
		return e.lock.change(ctx, e.tenant, *s.write, e.progress(next))
	}
	if e.recorded() {
		now := *e.tenant.Operation
		now.Step, now.Failure = next, ""
		e.tenant.Operation = &now
	}
	return nil
}

// recorded reports whether the registry has the row of this operation.
func (e *execution) recorded() bool {
	return e.row.Op != "" && e.tenant.Operation != nil && e.tenant.Operation.Op == e.row.Op
}

// progress returns what to record when a step has ended. next is the step that follows.
func (e *execution) progress(next string) *Operation {
	switch {
	case e.row.Op == "":
		return nil
	case next == "":
		return &Operation{}
	}
	row := e.row
	row.Step, row.Failure = next, ""
	return &row
}

// failureTimeout bounds the record of a failure, which is written also when ctx is over.
const failureTimeout = 5 * time.Second

// recordFailure records what stopped an operation that is recorded, and at which step it goes on.
// It goes through the lock: an operation that has lost its lock writes nothing.
func (e *execution) recordFailure(ctx context.Context, stepErr *StepError) {
	if !e.recorded() || errors.Is(stepErr, ErrLockLost) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureTimeout)
	defer cancel()
	stopped := *e.tenant.Operation
	stopped.Failure = failureText(stepErr)
	if err := e.lock.change(ctx, e.tenant, e.tenant.unchanged(), &stopped); err != nil {
		e.log(ctx, slog.LevelError, "failure not recorded", slog.Any("error", err))
	}
}

// MaxFailureLen is the longest [Operation].Failure, in bytes: longer errors are cut.
const MaxFailureLen = 4096

// failureText is what the column can hold of an error.
func failureText(e *StepError) string {
	text := e.Step + ": " + e.Err.Error()
	if len(text) > MaxFailureLen {
		text = text[:MaxFailureLen-len("...")] + "..."
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}

func (e *execution) log(ctx context.Context, level slog.Level, msg string, attrs ...slog.Attr) {
	all := []slog.Attr{slog.String("op", string(e.about.Op)), slog.String("tenant", e.tenant.Slug)}
	if e.about.Host != "" {
		all = append(all, slog.String("host", e.about.Host))
	}
	e.m.cfg.Logger.LogAttrs(ctx, level, msg, append(all, attrs...)...)
}

// Resume goes on with the operation of a tenant that failed or was interrupted, at the step that is
// recorded: a create, a claim, a rename, a replacement of its schema or the revert of one. It
// returns the tenant as it is then. A tenant that has no such operation is a [StatusError]. A drop
// goes on with [Manager.Drop], and a confirmation, a [BusyError], with
// [Manager.ConfirmReplacement]: both need their token.
func (m *Manager) Resume(ctx context.Context, slug string) (Tenant, error) {
	return m.locked(ctx, OpResume, slug, func(l *lock, t *Tenant) error {
		if t.Operation == nil {
			return &StatusError{Op: OpResume, Slug: t.Slug, Status: t.Status}
		}
		return m.resume(ctx, l, OpResume, t)
	})
}

// resume runs what is left of the tenant's operation.
func (m *Manager) resume(ctx context.Context, l *lock, called Op, t *Tenant) error {
	steps := m.stepsOf(l, t)
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == t.Operation.Step })
	if i < 0 { // also an operation or a step of a later release
		return &BusyError{Op: called, Tenant: *t}
	}
	return m.runRecorded(ctx, l, called, t, *t.Operation, steps[i:]...)
}

// stepsOf returns the steps of the tenant's operation, if it can be resumed without a token.
func (m *Manager) stepsOf(l *lock, t *Tenant) []step {
	switch t.Operation.Op {
	case OpCreate, OpAssignStocked:
		return m.createSteps(t, false)
	case OpStock:
		return m.stockSteps(t)
	case OpRename:
		return m.renameSteps(l, t, t.Operation.Schema)
	case OpReplace:
		return m.exchangeSteps(t, t.Operation.Reactivate)
	case OpRevert:
		return m.revertSteps(t, t.Operation.Schema, t.Operation.Reactivate)
	}
	return nil
}

// idle returns a [BusyError] if the tenant has an operation that has not ended.
func (op Op) idle(t *Tenant) error {
	if t.Operation != nil {
		return &BusyError{Op: op, Tenant: *t}
	}
	return nil
}
