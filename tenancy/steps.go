package tenancy

import (
	"context"
	"errors"
	"log/slog"
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

// Hooks are called by a [Manager] before and after each step of an operation on a tenant. Each
// may be nil. They run on the goroutine of the operation, which holds the tenant's lock; with their ctx
// they may read through the manager, and its operations on tenants are [ErrNested]. They must be safe
// for concurrent use.
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

// step is a part of an operation that can be run again when it, or one after it, has failed.
type step struct {
	name string
	run  func(ctx context.Context) error
}

// run takes the steps one after the other, each as long as the lease is held; an error is a [StepError] of the first that
// failed. What a single statement does, on its own conditions, needs no lease.
func (m *Manager) run(ctx context.Context, l *lease, op Op, t *Tenant, steps ...step) error {
	return m.runAbout(ctx, l, StepData{Op: op}, t, steps...)
}

// runAbout is run for an operation of which there is more to tell than its name.
func (m *Manager) runAbout(ctx context.Context, l *lease, about StepData, t *Tenant, steps ...step) error {
	ctx, over := m.begin(ctx)
	defer over()
	for _, s := range steps {
		if err := m.runStep(ctx, l, about, t, s); err != nil {
			level := slog.LevelError
			if errors.Is(context.Cause(ctx), context.Canceled) { // the caller stops, such as a program at its end
				level = slog.LevelInfo
			}
			m.log(ctx, level, "tenant operation stopped", about, t, slog.String("step", s.name), slog.Any("error", err))
			return &StepError{Op: about.Op, Step: s.name, Tenant: *t, Host: about.Host, Err: err}
		}
	}
	m.log(ctx, slog.LevelInfo, "tenant operation done", about, t, slog.String("schema", t.Schema))
	return nil
}

func (m *Manager) runStep(ctx context.Context, l *lease, about StepData, t *Tenant, s step) error {
	about.Step, about.Tenant = s.name, *t
	if before := m.cfg.Hooks.Before; before != nil {
		if err := before(ctx, about); err != nil {
			return err
		}
	}
	err := l.hold(ctx, s.run)
	if after := m.cfg.Hooks.After; after != nil {
		about.Tenant, about.Err = *t, err
		after(ctx, about)
	}
	return err
}

func (m *Manager) log(ctx context.Context, level slog.Level, msg string, about StepData, t *Tenant, attrs ...slog.Attr) {
	all := []slog.Attr{slog.String("op", string(about.Op)), slog.String("tenant", t.Slug)}
	if about.Host != "" {
		all = append(all, slog.String("host", about.Host))
	}
	m.cfg.Logger.LogAttrs(ctx, level, msg, append(all, attrs...)...)
}
