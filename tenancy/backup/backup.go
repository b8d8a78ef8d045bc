package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// BackupOptions are the options of [Service.Backup]. The zero value is the strictest.
type BackupOptions struct {
	// Drift decides about a schema that differs from what its migrations create. Default:
	// [DriftRefuse].
	Drift DriftPolicy
}

// DriftPolicy decides about a schema that differs from what its migrations create. Grants, owners
// and the order of columns are not compared.
type DriftPolicy uint8

const (
	// DriftRefuse returns a [DriftError]. It is the zero value.
	DriftRefuse DriftPolicy = iota

	// DriftRecord backs up the schema as it is, and records the differences in the header and in
	// [Info]. A restore loads such data as far as it fits. It is meant for data that must be saved
	// although the schema has drifted.
	DriftRecord
)

// opBackup is the operation in a [tenancy.StatusError].
const opBackup = tenancy.Op("back up")

// cleanupTimeout bounds cleanup, which also runs after the caller's context has ended.
const cleanupTimeout = time.Minute

// Backup backs up a tenant into the store. It writes the file, reads it back completely, compares
// it with what was written, and only then writes the receipt and returns. If it fails, the next
// call starts anew under another name.
//
// A tenant can be backed up while it serves requests, and also while it is suspended or in
// maintenance. A tenant that has no schema yet or that is being dropped is a [tenancy.StatusError].
//
// The errors are [tenancy.ErrNotFound], a [tenancy.StatusError], a [tenancy.BusyError],
// [tenancy.ErrPlacement], an [UnsupportedError], a [DriftError], [ErrChanged], a [VerifyError], and
// errors of the database and of the store, unchanged. ctx governs everything except the removal of
// a failed file, which takes at most a minute.
func (s *Service) Backup(ctx context.Context, slug string, opts BackupOptions) (Info, error) {
	if s.cfg.Store == nil {
		return Info{}, errNoStore
	}
	info, err := s.backup(ctx, slug, opts)
	if err != nil {
		err = fmt.Errorf("back up tenant %q: %w", slug, err)
		s.cfg.Logger.WarnContext(ctx, "backup failed", slog.String("tenant", slug), slog.Any("error", err))
		return Info{}, err
	}
	s.cfg.Logger.InfoContext(ctx, "tenant backed up", slog.String("tenant", slug), slog.String("name", info.Name),
		slog.Int64("rows", info.Rows), slog.Int64("size", info.Size), slog.Duration("duration", info.Duration))
	return info, nil
}

// BackupTo writes a tenant's archive to dst. Unlike [Service.Backup] it does not verify what dst
// stored. After an error, dst contains no valid archive. BackupTo waits for a call of dst.Write to
// return, even after ctx has ended.
func (s *Service) BackupTo(ctx context.Context, slug string, dst io.Writer, opts BackupOptions) (Info, error) {
	run, err := s.begin(ctx, slug, snapshotOptions{drift: opts.Drift})
	if err == nil {
		defer run.end(ctx)
		err = run.write(ctx, dst)
	}
	if err != nil {
		return Info{}, fmt.Errorf("back up tenant %q: %w", slug, err)
	}
	return run.info, nil
}

func (s *Service) backup(ctx context.Context, slug string, opts BackupOptions) (Info, error) {
	run, err := s.begin(ctx, slug, snapshotOptions{drift: opts.Drift})
	if err != nil {
		return Info{}, err
	}
	defer run.end(ctx)
	run.info.Name = newName(run.tenant, run.snap.header.TakenAt, len(s.cfg.Recipients) > 0)
	upload, err := s.cfg.Store.Create(ctx, run.info.Name)
	if err != nil {
		return Info{}, err
	}
	committed := false
	defer func() { // deferred, so that it also runs if a callback panics
		if !committed {
			if err := upload.Abort(); err != nil {
				s.cfg.Logger.WarnContext(ctx, "upload not aborted",
					slog.String("name", run.info.Name), slog.Any("error", err))
			}
		}
	}()
	if err := run.write(ctx, upload); err != nil {
		return Info{}, err
	}
	committed = true // a failed Commit leaves no file, or its result is unknown
	if err := upload.Commit(); err != nil {
		return Info{}, errors.Join(run.explain(ctx, err), s.discard(ctx, run.info.Name))
	}
	run.report(ctx, Event{Kind: EventWritten})
	if err := s.verifyStored(ctx, run); err != nil {
		left := s.discard(ctx, run.info.Name)
		return Info{}, &VerifyError{Name: run.info.Name, Leftover: left != nil, Err: errors.Join(run.explain(ctx, err), left)}
	}
	err = s.writeReceipt(ctx, run.info)
	if err == nil {
		_, err = run.currentTenant(ctx)
	}
	if err != nil {
		return Info{}, errors.Join(run.explain(ctx, err), s.discard(ctx, run.info.Name))
	}
	run.report(ctx, Event{Kind: EventVerified})
	return run.info, nil
}

// discard deletes a file that is no backup. It also deletes the receipt, which may exist although
// its commit returned an error.
func (s *Service) discard(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	var failed error
	for _, name := range []string{receiptOf(name), name} {
		if err := s.cfg.Store.Delete(ctx, name); err != nil && !errors.Is(err, ErrNotFound) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

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
