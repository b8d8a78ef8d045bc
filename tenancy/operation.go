package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
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

	OpRequestDrop Op = "request drop" // [Manager.RequestDrop]
	OpApproveDrop Op = "approve drop" // [Manager.ApproveDrop]
	OpDrop        Op = "drop"         // [Manager.Drop]
	OpStock       Op = "stock"        // [Manager.Refill]
	OpClaim       Op = "claim"        // [Manager.Claim]

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
	Step    string    `json:"step"`    // the next to run, as in [StepData]
	Failure string    `json:"failure"` // what stopped the last attempt; empty if nothing did; see [MaxFailureLen]
	Actor   string    `json:"actor"`   // who drops; else empty
	BeganAt time.Time `json:"began_at"`

	// Schema is the new name in a rename. In an operation on a replacement it is the tenant's retained
	// schema.
	Schema string `json:"schema"`

	// Reopen says that the operation has put an active tenant into maintenance, and makes it active
	// again.
	Reopen bool `json:"reopen"`
}

// operationColumn is SQL for the operation of the tenant t as JSON, null if there is none.
const operationColumn = "(select to_jsonb(o) || o.arguments from {registry}.registry_operations o " +
	"where o.tenant_id = t.id)"

// step is a part of an operation. It can be run again when it, or a later one, has failed.
type step struct {
	name string

	// run is the work on the tenant's server. It is called while the lock is held. Nil: none.
	run func(ctx context.Context) error

	// write changes the registry, in one transaction with the progress of the operation. It may be
	// called again. Nil: it changes nothing.
	write func(ctx context.Context, tx pgx.Tx) error

	// trial says that the operation has not begun after this step: its progress is not recorded.
	trial bool
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
	if err := e.enter(ctx, s); err != nil {
		return err
	}
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

// enter records that the step is the next, if that is not recorded yet. A step that only writes is
// recorded where a hook can stop the operation before it. A crash of the server may lose the
// record: it repeats steps.
func (e *execution) enter(ctx context.Context, s step) error {
	if !e.recorded() || e.tenant.Operation.Step == s.name || s.run == nil && e.m.cfg.Hooks.Before == nil {
		return nil
	}
	now := *e.tenant.Operation
	now.Step, now.Failure = s.name, ""
	err := e.lock.use(func(conn *registrydb.Conn) error {
		_, err := conn.Exec(ctx, `with o as (
				update {registry}.registry_operations set step = $2, failure = '' where tenant_id = $1 returning tenant_id
			)
			select `+asyncLock+" from o", e.tenant.ID, s.name)
		return err
	})
	if err == nil {
		e.tenant.Operation = &now
	}
	return err
}

// recorded reports whether the registry has the row of this operation.
func (e *execution) recorded() bool {
	return e.row.Op != "" && e.tenant.Operation != nil && e.tenant.Operation.Op == e.row.Op
}

// runStep does the work of the step, and then changes the registry.
func (e *execution) runStep(ctx context.Context, s step, next string) error {
	if s.run != nil {
		if err := e.lock.hold(ctx, s.run); err != nil {
			return err
		}
	}
	if s.trial || s.write == nil && next != "" && e.recorded() {
		return nil
	}
	var row *Operation
	err := e.lock.write(ctx, func(tx pgx.Tx) (err error) {
		if s.write != nil {
			err = s.write(ctx, tx)
		}
		if err == nil && e.row.Op != "" {
			row, err = e.progress(ctx, tx, next)
		}
		return err
	})
	if err == nil && e.row.Op != "" {
		e.tenant.Operation = row
	}
	return err
}

// progress records the next step, or the end of the operation.
func (e *execution) progress(ctx context.Context, tx pgx.Tx, next string) (*Operation, error) {
	if next == "" {
		_, err := tx.Exec(ctx, "delete from {registry}.registry_operations where tenant_id = $1", e.tenant.ID)
		return nil, err
	}
	e.row.Step = next
	return putOperation(ctx, tx, e.tenant.ID, e.row)
}

// putOperation records an operation in the place of what is recorded of the tenant.
func putOperation(ctx context.Context, tx pgx.Tx, tenant int64, row Operation) (*Operation, error) {
	err := tx.QueryRow(ctx, `insert into {registry}.registry_operations as o
			(tenant_id, operation, step, actor, arguments)
		values ($1, $2, $3, $4, jsonb_strip_nulls(jsonb_build_object(
			'schema', nullif($5::text, ''), 'reopen', nullif($6::boolean, false))))
		on conflict (tenant_id) do update set operation = excluded.operation, step = excluded.step, failure = '',
			actor = excluded.actor, arguments = excluded.arguments,
			began_at = case when o.operation = excluded.operation then o.began_at else now() end
		returning began_at`, tenant, row.Op, row.Step, row.Actor, row.Schema, row.Reopen).Scan(&row.BeganAt)
	return &row, err
}

// failureTimeout bounds the record of a failure, which is written also when ctx is over.
const failureTimeout = 5 * time.Second

// recordFailure records what stopped an operation that is recorded. It goes through the lock: an
// operation that has lost its lock writes nothing.
func (e *execution) recordFailure(ctx context.Context, stepErr *StepError) {
	if e.row.Op == "" || errors.Is(stepErr, ErrLockLost) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureTimeout)
	defer cancel()
	failure := failureText(stepErr)
	err := e.lock.write(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update {registry}.registry_operations set failure = $3
			where tenant_id = $1 and operation = $2`, e.tenant.ID, e.row.Op, failure)
		if err == nil && tag.RowsAffected() == 1 && e.tenant.Operation != nil {
			now := *e.tenant.Operation
			now.Failure = failure
			e.tenant.Operation = &now
		}
		return err
	})
	if err != nil {
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

// Resume goes on with the operation of a tenant that failed or was interrupted, at the step where
// it stopped: a create, a claim, a rename, a replacement of its schema or the revert of one. It
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
	case OpCreate, OpClaim:
		return m.createSteps(t, false)
	case OpStock:
		return m.stockSteps(t)
	case OpRename:
		return m.renameSteps(l, t, t.Operation.Schema)
	case OpReplace:
		return m.exchangeSteps(t, t.Operation.Reopen)
	case OpRevert:
		return m.revertSteps(t, t.Operation.Schema, t.Operation.Reopen)
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

// change runs a statement whose first argument is the tenant's id and which returns its row, and
// reads that.
func change(ctx context.Context, tx pgx.Tx, t *Tenant, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, append([]any{t.ID}, args...)...)
	if err != nil {
		return conflict(err)
	}
	changed, err := pgx.CollectExactlyOneRow(rows, scanTenant)
	if err != nil {
		return conflict(err)
	}
	*t = changed
	return nil
}

// update changes the tenant's row where the condition holds, and reads it; else the error is
// [pgx.ErrNoRows]. Both are SQL, whose arguments begin with $2.
func update(ctx context.Context, tx pgx.Tx, t *Tenant, condition, set string, args ...any) error {
	return change(ctx, tx, t, "update {registry}.tenants as t set "+set+" where id = $1 and "+condition+" returning "+
		tenantDetailsColumns, args...)
}
