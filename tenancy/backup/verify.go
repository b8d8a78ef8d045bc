package backup

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// VerifyResult is what came of restoring an archive into scratch.
type VerifyResult struct {
	Tenant   archive.Tenant
	TakenAt  time.Time
	Tables   int
	Rows     int64
	Bytes    int64 // of CSV
	Duration time.Duration
	Warnings []Warning // as [Restored].Warnings
}

// Verify restores an archive of the store into a scratch schema, as [Service.Restore] does and with all its checks, and drops that
// again: nil means that the backup can be restored by this program. [Service.Check] reads the archive alone, and is cheaper. Of opts the policies
// matter. The errors are those of Restore. Nothing else is touched; what a crash leaves is dropped by [Service.Sweep], and by the next restore.
func (s *Service) Verify(ctx context.Context, name string, opts RestoreOptions) (VerifyResult, error) {
	var drill VerifyResult
	err := s.withFile(ctx, name, opts, func(src io.Reader) (err error) {
		drill, err = s.restoreToScratch(ctx, src, name, opts)
		return err
	})
	if err != nil {
		return VerifyResult{}, fmt.Errorf("verify %q: %w", name, err)
	}
	return drill, nil
}

// VerifyFrom is [Service.Verify] of an archive that src has.
func (s *Service) VerifyFrom(ctx context.Context, src io.Reader, opts RestoreOptions) (VerifyResult, error) {
	drill, err := s.restoreToScratch(ctx, src, "", opts)
	if err != nil {
		return VerifyResult{}, fmt.Errorf("verify: %w", err)
	}
	return drill, nil
}

func (s *Service) restoreToScratch(ctx context.Context, src io.Reader, name string, opts RestoreOptions) (VerifyResult, error) {
	start := time.Now()
	r, err := archive.NewReader(&cancellable{ctx.Err, src}, s.cfg.readerOptions())
	if err != nil {
		return VerifyResult{}, err
	}
	defer r.Close()
	h := r.Header()
	versions, err := s.checkVersions(h, opts)
	if err != nil {
		return VerifyResult{}, err
	}
	s.trySweep(ctx)
	staging, err := s.cfg.Tenants.StageScratch(ctx)
	if err != nil {
		return VerifyResult{}, err
	}
	about := restoreRun{s: s, name: name, header: h, checks: opts.Checks}
	var warnings []Warning
	if err = s.build(ctx, staging.Schema(), versions, about); err == nil {
		warnings, err = s.fill(ctx, staging.Schema(), archiveRows{r}, about, opts.Drift)
	}
	if errClose := staging.Close(ctx); err == nil && errClose != nil {
		err = errClose
	}
	if err != nil {
		return VerifyResult{}, err
	}
	m := r.Manifest()
	return VerifyResult{
		Tenant: h.Tenant, TakenAt: h.TakenAt, Tables: len(m.Tables), Rows: m.Rows(), Bytes: m.Bytes(), Duration: time.Since(start),
		Warnings: warnings,
	}, nil
}
