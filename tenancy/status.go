package tenancy

import (
	"context"
	"time"
)

// MaxReasonLen is the maximum length of the reason of a suspension or a maintenance, in characters.
const MaxReasonLen = 500

// MaintenanceParams describe a maintenance to clients.
type MaintenanceParams struct {
	// Reason is one line for people, at most [MaxReasonLen] characters long. Default: none.
	Reason string

	// Until is when the maintenance is expected to end. It must be in the future. Clients are told,
	// but the maintenance does not end by itself. Default: not known.
	Until time.Time
}

func (p MaintenanceParams) validate() error {
	if err := validateReason(p.Reason); err != nil {
		return err
	}
	if p.Until.IsZero() {
		return nil
	}
	refuse := func(rule string) error {
		return &FieldError{Field: "until", Value: p.Until.Format(time.RFC3339), Rule: rule}
	}
	switch {
	case !p.Until.After(time.Now()):
		return refuse("is not in the future")
	case p.Until.UTC().Year() > 9999: // RFC 3339, and so JSON, cannot express it
		return refuse("is after the year 9999")
	}
	return nil
}

func validateReason(reason string) error {
	return validateText("reason", reason, MaxReasonLen, "is longer than 500 characters")
}

// Suspend makes the library refuse a tenant's requests with 403. reason is one line, which may be
// empty. Running requests continue. A suspended tenant gets the new reason. A tenant in maintenance
// becomes suspended, and its maintenance ends.
//
// The error is a [FieldError] for the reason, [ErrNotFound] or a [StatusError], and nothing was
// changed. Any other error is a [StepError].
func (m *Manager) Suspend(ctx context.Context, slug, reason string) (Tenant, error) {
	if err := validateReason(reason); err != nil {
		return Tenant{}, err
	}
	return m.locked(ctx, OpSuspend, slug, func(l *lock, t *Tenant) error {
		return m.run(ctx, l, OpSuspend, t, setStatus(t, "status = 'suspended', reason = $2, until = null", reason))
	})
}

// Activate ends a tenant's suspension. For an active tenant it changes nothing and returns no
// error. For a tenant in maintenance the error is a [StatusError], see [Manager.EndMaintenance].
// Other errors are as for [Manager.Suspend]. If a replacement of the tenant's schema, or its
// revert, was interrupted ([Staging.Replace], [Manager.RevertReplacement]), Activate completes it
// first.
func (m *Manager) Activate(ctx context.Context, slug string) (Tenant, error) {
	return m.serve(ctx, OpActivate, slug)
}

// StartMaintenance makes the library refuse a tenant's requests with 503, so that clients retry
// later. A tenant in maintenance gets the new reason and time. For a suspended tenant the error is
// a [StatusError], and it stays suspended. Other errors are as for [Manager.Suspend].
func (m *Manager) StartMaintenance(ctx context.Context, slug string, p MaintenanceParams) (Tenant, error) {
	if err := p.validate(); err != nil {
		return Tenant{}, err
	}
	var until *time.Time
	if !p.Until.IsZero() {
		until = &p.Until
	}
	return m.locked(ctx, OpStartMaintenance, slug, func(l *lock, t *Tenant) error {
		set := t.update("true", "status = 'maintenance', reason = $2, until = $3", p.Reason, until)
		return m.run(ctx, l, OpStartMaintenance, t, step{name: "status", run: func(ctx context.Context) error {
			return l.change(ctx, t, set, t.Operation.withoutReactivate())
		}})
	})
}

// withoutReactivate returns the operation with Reactivate unset. When the replacement is resumed,
// it leaves the tenant in the maintenance that the caller has started.
func (o *Operation) withoutReactivate() *Operation {
	if o == nil {
		return nil
	}
	now := *o
	now.Reactivate = false
	return &now
}

// EndMaintenance makes a tenant in maintenance active. For an active tenant it changes nothing and
// returns no error. If the tenant was suspended in the meantime, the error is a [StatusError], and
// it stays suspended. Other errors are as for [Manager.Suspend]. It finishes an interrupted
// replacement of the tenant's schema first, as [Manager.Activate] does.
func (m *Manager) EndMaintenance(ctx context.Context, slug string) (Tenant, error) {
	return m.serve(ctx, OpEndMaintenance, slug)
}

const setActive = "status = 'active', reason = '', until = null"

// serve makes a tenant active. Before that, it runs the missing steps of an interrupted replacement
// of the tenant's schema.
func (m *Manager) serve(ctx context.Context, op Op, slug string) (Tenant, error) {
	return m.locked(ctx, op, slug, func(l *lock, t *Tenant) error {
		if err := op.checkKnown(t); err != nil {
			return err
		}
		if err := m.endExchange(ctx, l, op, t); err != nil {
			return err
		}
		return m.run(ctx, l, op, t, setStatus(t, setActive))
	})
}

// setStatus is a step that writes the columns in set, even if they already have these values.
func setStatus(t *Tenant, set string, args ...any) step {
	c := t.update("true", set, args...)
	return step{name: "status", write: &c}
}

// Serveable returns nil if the tenant's status allows requests, else an [InactiveError]. For a nil
// tenant it returns [ErrUnknownHost]. The handler of package tenanthttp refuses requests with the
// same error. A program that serves without net/http calls it, then calls its Admit, and then puts
// the tenant into the context:
//
//	err := tenancy.Serveable(t)
//	if err == nil {
//		err = quarantine.Admit(ctx, t)
//	}
//	if err != nil {
//		return nil, refusal(err) // with what tenanthttp.ProblemOf returns
//	}
//	return handler(tenancy.NewContext(ctx, t), req)
func Serveable(t *Tenant) error {
	switch {
	case t == nil:
		return ErrUnknownHost
	case t.Status != Active:
		return &InactiveError{Slug: t.Slug, Status: t.Status, Reason: t.Reason, Until: t.Until}
	}
	return nil
}
