package tenancy

import (
	"context"
	"slices"
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

// Allowed reports whether the operation is possible on a tenant in that status:
//
//	                    provisioning  active  suspended  maintenance
//	resume                   yes        (1)      (1)         (1)
//	update                   yes        yes      yes         yes
//	operations on domains    yes        yes      yes         yes
//	rename, replace schema    -         yes      yes         yes
//	confirm, revert           -         yes      yes         yes
//	suspend                   -         yes      yes (2)     yes (3)
//	activate                  -         yes (4)  yes          -
//	start maintenance         -         yes       -          yes (2)
//	end maintenance           -         yes (4)   -          yes
//
// A stocked tenant and a tenant that is being dropped allow none of these.
//
//  1. If a rename, a replacement or a revert has not ended; else the error is a [StatusError].
//  2. Changes only reason and time.
//  3. Ends the maintenance: [Manager.Activate] makes the tenant active.
//  4. Changes nothing.
//
// So the end of a maintenance does not end a suspension, and [Manager.Activate] does not end a
// maintenance.
func (op Op) Allowed(s Status) bool {
	switch op {
	case OpResume, OpUpdate,
		OpAddDomain, OpClaimDomain, OpVerifyDomain, OpSetPrimaryDomain, OpRemoveDomain, OpMoveDomain:
		return s == Provisioning || s == Active || s == Suspended || s == Maintenance
	case OpRename, OpSuspend, OpReplace, OpConfirm, OpRevert:
		return s == Active || s == Suspended || s == Maintenance
	case OpActivate:
		return s == Active || s == Suspended
	case OpStartMaintenance, OpEndMaintenance:
		return s == Active || s == Maintenance
	}
	return false
}

// check returns a [StatusError] unless the tenant's status allows the operation.
func (op Op) check(t *Tenant) error {
	if !op.Allowed(t.Status) {
		return &StatusError{Op: op, Slug: t.Slug, Status: t.Status}
	}
	return nil
}

// checkKnown returns a [BusyError] if the tenant has an operation of a later release.
func (op Op) checkKnown(t *Tenant) error {
	if t.Operation == nil {
		return nil
	}
	switch t.Operation.Op {
	case OpCreate, OpAssignStocked, OpStock, OpRename, OpReplace, OpRevert, OpConfirm, OpDrop:
		return nil
	}
	return &BusyError{Op: op, Tenant: *t}
}

// checkIdle returns a [BusyError] if the tenant has an operation that has not ended.
func (op Op) checkIdle(t *Tenant) error {
	if t.Operation != nil {
		return &BusyError{Op: op, Tenant: *t}
	}
	return nil
}

// Hooks are called by a [Manager] before and after each step of an operation on a tenant. Each may
// be nil. They run on the goroutine of the operation, which holds the tenant's lock. With their ctx
// they may read through the manager, but its operations on tenants return [ErrNested]. They must be
// safe for concurrent use.
type Hooks struct {
	// Before is called before a step. If it returns an error, the operation stops as if the step had
	// returned it.
	Before func(ctx context.Context, data StepData) error
	// After is called after a step, with its error.
	After func(ctx context.Context, data StepData)
}

// StepData describes a step to [Hooks].
type StepData struct {
	Op     Op
	Step   string // the name of the step, such as "schema" or "migrate"
	Tenant Tenant // the tenant's current row
	Err    error  // for After, the error of the step; else nil

	Host  string  // the normalised domain, for an operation on a domain; else empty
	Other *Tenant // the tenant that a domain is moved to; else nil
}

// Operation is an operation on a tenant that has begun and not ended: it is running, or it has
// stopped. It is a row of the registry, and a tenant has at most one.
type Operation struct {
	Op      Op        `json:"operation"`
	Step    string    `json:"step"`    // the next step, as in [StepData]; after a crash it may be an earlier one
	Failure string    `json:"failure"` // the error of the last attempt, or empty; see [MaxFailureLen]
	Actor   string    `json:"actor"`   // the person who drops; empty for other operations
	BeganAt time.Time `json:"began_at"`

	// Schema is the new schema name of a rename. For an operation on a replacement it is the name of
	// the tenant's retained schema.
	Schema string `json:"schema"`

	// Reactivate reports whether the operation has put an active tenant into maintenance. Then its
	// last step makes the tenant active again.
	Reactivate bool `json:"reopen"`
}

// operationColumn is SQL for the operation of the tenant t as JSON, or null if there is none.
const operationColumn = "(select " + operationJSON + " from {registry}.registry_operations o " +
	"where o.tenant_id = t.id)"

// operationJSON is SQL for the row o of an operation as JSON. It reads only these two arguments. A
// later release may record others, of any type.
const operationJSON = `to_jsonb(o) || jsonb_build_object('schema', coalesce(o.arguments->>'schema', ''),
	'reopen', coalesce(o.arguments->>'reopen' = 'true', false))`

// Resume continues the operation of a tenant that has failed or was interrupted, at the recorded
// step: a create, the assignment of a stocked tenant, a rename, a replacement of the schema, or its
// revert. It returns the tenant. A create and an assignment apply pending migrations again, because
// an earlier release may have begun them. For a tenant without such an operation, the error is a
// [StatusError].
//
// Resume does not continue a drop, a [StatusError], or the confirmation of a replacement, a
// [BusyError]. [Manager.Drop] and [Manager.ConfirmReplacement] continue them, with a token. A
// confirmation whose schema is already gone ends.
func (m *Manager) Resume(ctx context.Context, slug string) (Tenant, error) {
	return m.locked(ctx, OpResume, slug, func(l *lock, t *Tenant) error {
		if t.Operation == nil {
			return &StatusError{Op: OpResume, Slug: t.Slug, Status: t.Status}
		}
		if t.Operation.Op == OpConfirm {
			return l.endConfirmed(ctx, OpResume, t)
		}
		return m.resume(ctx, l, OpResume, t)
	})
}

// resume runs the remaining steps of the tenant's operation. called is the operation that the
// caller has called.
func (m *Manager) resume(ctx context.Context, l *lock, called Op, t *Tenant) error {
	steps := m.stepsOf(l, t)
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == t.Operation.Step })
	if i < 0 { // it needs a token, or a later release knows the operation or the step
		return &BusyError{Op: called, Tenant: *t}
	}
	// A schema that another release has created may lack migrations of this one.
	if migrate := slices.IndexFunc(steps, func(s step) bool { return s.name == "migrate" }); migrate >= 0 {
		i = min(i, migrate)
	}
	t.Operation.Step = steps[i].name
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
