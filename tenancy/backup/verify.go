package backup

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// VerifyResult describes an archive that was restored into a scratch schema.
type VerifyResult struct {
	Tenant   archive.Tenant
	TakenAt  time.Time
	Tables   int
	Rows     int64
	Bytes    int64 // of CSV
	Duration time.Duration
	Warnings []Warning // see [RestoreResult].Warnings
}

// Verify restores an archive of the store into a scratch schema with all checks of
// [Service.Restore], and drops the schema again. If it returns nil, this program can restore the
// backup. [Service.Check] only reads the archive, and is cheaper. Of opts only the policies are
// used. The errors are those of Restore. No tenant is changed. A crash can leave the scratch
// schema: [Service.Sweep] and the next restore drop it.
func (s *Service) Verify(ctx context.Context, name string, opts RestoreOptions) (VerifyResult, error) {
	var result VerifyResult
	err := s.withFile(ctx, name, opts, func(src io.Reader) (err error) {
		result, err = s.restoreToScratch(ctx, src, name, opts)
		return err
	})
	if err != nil {
		return VerifyResult{}, fmt.Errorf("verify %q: %w", name, err)
	}
	return result, nil
}

// VerifyFrom is [Service.Verify] for an archive that it reads from src.
func (s *Service) VerifyFrom(ctx context.Context, src io.Reader, opts RestoreOptions) (VerifyResult, error) {
	result, err := s.restoreToScratch(ctx, src, "", opts)
	if err != nil {
		return VerifyResult{}, fmt.Errorf("verify: %w", err)
	}
	return result, nil
}

func (s *Service) restoreToScratch(
	ctx context.Context, src io.Reader, name string, opts RestoreOptions,
) (VerifyResult, error) {
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
	run := restoreRun{s: s, name: name, header: h, checks: opts.Checks}
	var warnings []Warning
	if err = s.build(ctx, staging.Schema(), versions, run); err == nil {
		warnings, err = s.fill(ctx, staging.Schema(), archiveRows{r}, run, opts.Drift)
	}
	if errClose := staging.Close(ctx); err == nil && errClose != nil {
		err = errClose
	}
	if err != nil {
		return VerifyResult{}, err
	}
	m := r.Manifest()
	return VerifyResult{
		Tenant: h.Tenant, TakenAt: h.TakenAt, Tables: len(m.Tables), Rows: m.Rows(), Bytes: m.Bytes(),
		Duration: time.Since(start), Warnings: warnings,
	}, nil
}
