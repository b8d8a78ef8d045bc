package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// BackupOptions say how one tenant is backed up. The zero value is the strict way.
type BackupOptions struct {
	// Drift is what becomes of a schema that is not what its migrations make. Default: [DriftRefuse].
	Drift DriftPolicy
}

// DriftPolicy says what becomes of a schema that is not what its migrations make. Grants, owners and the order of columns are no matter.
type DriftPolicy uint8

const (
	// DriftRefuse returns a [DriftError]. It is the zero value.
	DriftRefuse DriftPolicy = iota

	// DriftRecord backs up the schema as it is, with the differences in the header and in [Info]: for one that is to be saved
	// whatever became of it. A restore takes such data as far as it fits.
	DriftRecord
)

// opBackup is what errors of a tenant's status call a backup.
const opBackup = tenancy.Op("back up")

// cleanupTimeout bounds the removal of what must not stay, also when the caller's context is over.
const cleanupTimeout = time.Minute

// Backup backs up a tenant into the store and returns when that has been verified: the stored file was read back from its first byte to its
// last, and is what was written. Until then it is no backup, whatever happens; the next call begins anew, under another name.
//
// A tenant that is being served is backed up as any other: requests go on. One that is suspended or in maintenance is, too; one that
// has no schema of its own yet or is being dropped is a [tenancy.StatusError].
//
// The errors are [tenancy.ErrNotFound], a [tenancy.StatusError], a [tenancy.BusyError], [tenancy.ErrPlacement], an [UnsupportedError], a
// [DriftError], [ErrChanged], a [VerifyError], and those of the database and of the store as they are. ctx governs all of it but for the
// removal of what failed, which takes a minute at most.
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

// BackupTo writes a tenant's archive to dst, as [Service.Backup] does into the store. Nothing verifies what becomes of it, and after an
// error what dst has is no archive. It waits for a Write of dst that is under way, whatever ctx says.
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
	defer func() { // also where a hook panics
		if !committed {
			if err := upload.Abort(); err != nil {
				s.cfg.Logger.WarnContext(ctx, "upload not taken back", slog.String("name", run.info.Name), slog.Any("error", err))
			}
		}
	}()
	if err := run.write(ctx, upload); err != nil {
		return Info{}, err
	}
	committed = true // a commit that fails leaves nothing, or does not know
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

// discard deletes a file that is no backup, and its receipt, which may have been written by a commit that did not answer.
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
