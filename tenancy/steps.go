package tenancy

import (
	"context"
	"log/slog"
)

// Op is an operation of a [Manager] on a tenant.
type Op string

const (
	OpCreate Op = "create" // [Manager.Create]
	OpResume Op = "resume" // [Manager.Resume]

	OpRequestDrop Op = "request drop" // [Manager.RequestDrop]
	OpApproveDrop Op = "approve drop" // [Manager.ApproveDrop]
	OpDrop        Op = "drop"         // [Manager.Drop]
)

// Hooks are called by a [Manager] before and after each step of an operation on a tenant. Each
// may be nil. They run on the goroutine of the operation, which holds the tenant's lock, and
// must not change the same tenant; they must be safe for concurrent use.
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
}

// step is a part of an operation that can be run again when it, or one after it, has failed.
type step struct {
	name string
	run  func(ctx context.Context) error
}

// run takes the steps one after the other; an error is a [StepError] of the first that failed.
func (m *Manager) run(ctx context.Context, op Op, t *Tenant, steps ...step) error {
	for _, s := range steps {
		if err := m.runStep(ctx, op, t, s); err != nil {
			m.cfg.Logger.ErrorContext(ctx, "tenant operation stopped", slog.String("op", string(op)),
				slog.String("tenant", t.Slug), slog.String("step", s.name), slog.Any("error", err))
			return &StepError{Op: op, Step: s.name, Tenant: *t, Err: err}
		}
	}
	m.cfg.Logger.InfoContext(ctx, "tenant operation done", slog.String("op", string(op)),
		slog.String("tenant", t.Slug), slog.String("schema", t.Schema))
	return nil
}

func (m *Manager) runStep(ctx context.Context, op Op, t *Tenant, s step) error {
	if before := m.cfg.Hooks.Before; before != nil {
		if err := before(ctx, StepData{Op: op, Step: s.name, Tenant: *t}); err != nil {
			return err
		}
	}
	err := s.run(ctx)
	if after := m.cfg.Hooks.After; after != nil {
		after(ctx, StepData{Op: op, Step: s.name, Tenant: *t, Err: err})
	}
	return err
}
