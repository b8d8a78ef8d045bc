package backup

import (
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// backupRun is one running backup.
type backupRun struct {
	s        *Service
	tenant   tenancy.Tenant
	snap     *snapshot
	start    time.Time
	info     Info
	manifest archive.Manifest
	done     int // number of copied tables
	drift    DriftPolicy
}

// begin looks the tenant up, takes its snapshot and reports EventStarted.
func (s *Service) begin(ctx context.Context, slug string, opts snapshotOptions) (*backupRun, error) {
	r, err := s.prepare(ctx, slug, opts)
	if err == nil {
		r.report(ctx, Event{Kind: EventStarted})
	}
	return r, err
}

// prepare is begin without the event.
func (s *Service) prepare(ctx context.Context, slug string, opts snapshotOptions) (*backupRun, error) {
	r := &backupRun{s: s, start: time.Now(), drift: opts.drift}
	var err error
	if r.tenant, err = s.cfg.Tenants.BySlug(ctx, slug); err != nil {
		return nil, err
	}
	if err := checkStatus(&r.tenant); err != nil {
		return nil, err
	}
	r.info.Registry = r.tenant.Registry
	domains, err := s.cfg.Tenants.Domains(ctx, r.tenant.ID)
	if err != nil {
		return nil, err
	}
	if r.snap, err = s.checkedSnapshot(ctx, &r.tenant, domains, opts); err != nil {
		return nil, err
	}
	return r, nil
}

// end releases the connection unless it was released before.
func (r *backupRun) end(ctx context.Context) {
	if r.snap.pooled != nil {
		r.snap.close(ctx)
	}
}

// checkStatus returns an error if the tenant cannot be backed up in its state.
func checkStatus(t *tenancy.Tenant) error {
	switch {
	case t.Status != tenancy.Active && t.Status != tenancy.Suspended && t.Status != tenancy.Maintenance:
		return &tenancy.StatusError{Op: opBackup, Slug: t.Slug, Status: t.Status}
	case t.Operation != nil && t.Operation.Op == tenancy.OpRename:
		return &tenancy.BusyError{Op: opBackup, Tenant: *t}
	case t.Placement != "default":
		return fmt.Errorf("%w: %q", tenancy.ErrPlacement, t.Placement)
	}
	return checkIdentity(t)
}

func (r *backupRun) report(ctx context.Context, e Event) {
	e.Tenant, e.Name, e.Done, e.Tables = r.tenant, r.info.Name, r.done, len(r.snap.header.Tables)
	r.s.cfg.Progress(ctx, e)
}
