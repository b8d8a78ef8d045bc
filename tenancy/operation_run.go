package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// step is one step of an operation. It can be run again if it, or a later step, has failed.
type step struct {
	name string

	// run is the work on the tenant's server. The lock is held during the call. Nil: none.
	run func(ctx context.Context) error

	// write changes the registry and records the progress of the operation in the same statement. Nil:
	// nothing is written, and after a crash the operation continues at an earlier step.
	write *change
}

// execution is one call of an operation.
type execution struct {
	m      *Manager
	lock   *lock
	about  StepData  // Op, Host and Other, for the hooks
	tenant *Tenant   // the tenant's current row
	row    Operation // the recorded operation; without Op, the operation is not recorded
}

// run runs an operation of one step, which is not recorded.
func (m *Manager) run(ctx context.Context, l *lock, op Op, t *Tenant, s step) error {
	return (&execution{m, l, StepData{Op: op}, t, Operation{}}).run(ctx, s)
}

// runRecorded runs the steps of an operation that can be resumed. called is the operation that the
// caller has called; row is the operation that is recorded.
func (m *Manager) runRecorded(ctx context.Context, l *lock, called Op, t *Tenant, row Operation, steps ...step) error {
	return (&execution{m, l, StepData{Op: called}, t, row}).run(ctx, steps...)
}

// run runs the steps in order. The error is the [StepError] of the first step that fails.
func (e *execution) run(ctx context.Context, steps ...step) error {
	ctx, end := e.m.begin(ctx)
	defer end()
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

// stopped logs and records the error of a step, and returns it as a [StepError].
func (e *execution) stopped(ctx context.Context, s step, err error) error {
	level := slog.LevelError
	if errors.Is(context.Cause(ctx), context.Canceled) { // the caller has stopped, such as at shutdown
		level = slog.LevelInfo
	}
	e.log(ctx, level, "tenant operation stopped", slog.String("step", s.name), slog.Any("error", err))
	stepErr := &StepError{Op: e.about.Op, Step: s.name, Host: e.about.Host, Err: err}
	e.recordFailure(ctx, stepErr)
	stepErr.Tenant = *e.tenant
	return stepErr
}

// step runs one step and calls the hooks before and after it. next is the name of the following
// step, or empty for the last one.
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

// runStep does the work of the step, and then changes the registry. It pings the session after a
// hook, because a hook may have taken long.
func (e *execution) runStep(ctx context.Context, s step, next string) error {
	if s.run != nil && e.m.cfg.Hooks.Before != nil {
		if err := e.lock.ping(ctx); err != nil {
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

// recorded reports whether the registry has a row of this operation.
func (e *execution) recorded() bool {
	return e.row.Op != "" && e.tenant.Operation != nil && e.tenant.Operation.Op == e.row.Op
}

// progress returns the operation to record after a step. next is the name of the following step.
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

// failureTimeout limits the time to record a failure. A failure is recorded also after ctx has
// ended.
const failureTimeout = 5 * time.Second

// recordFailure records the error of an operation that is recorded, and the step to continue with.
// It writes through the lock: an operation that has lost its lock writes nothing.
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

// MaxFailureLen is the maximum length of [Operation].Failure, in bytes. Longer texts are cut.
const MaxFailureLen = 4096

// failureText returns the step and its error as text that PostgreSQL can store: valid UTF-8 without
// NUL, at most MaxFailureLen bytes.
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

// operationKey is the context key of a running operation. Each pool of a registry has its own key.
type operationKey struct{ registry *pgxpool.Pool }

// begin returns a context that marks an operation as running until end is called. A function that
// gets this context must not take a lock: it would wait for the lock, or for the last connection,
// that the operation holds.
func (m *Manager) begin(ctx context.Context) (inside context.Context, end func()) {
	ended := &atomic.Bool{}
	return context.WithValue(ctx, operationKey{m.registry.Pool}, ended), func() { ended.Store(true) }
}

// nested reports whether ctx is the context of an operation that is still running.
func (m *Manager) nested(ctx context.Context) bool {
	ended, _ := ctx.Value(operationKey{m.registry.Pool}).(*atomic.Bool)
	return ended != nil && !ended.Load()
}
