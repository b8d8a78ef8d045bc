package backup

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// Drill is what came of restoring an archive into scratch.
type Drill struct {
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
func (s *Service) Verify(ctx context.Context, name string, opts RestoreOptions) (Drill, error) {
	var drill Drill
	err := s.opened(ctx, name, opts, func(src io.Reader) (err error) {
		drill, err = s.drill(ctx, src, name, opts)
		return err
	})
	if err != nil {
		return Drill{}, fmt.Errorf("verify %q: %w", name, err)
	}
	return drill, nil
}

// VerifyFrom is [Service.Verify] of an archive that src has.
func (s *Service) VerifyFrom(ctx context.Context, src io.Reader, opts RestoreOptions) (Drill, error) {
	drill, err := s.drill(ctx, src, "", opts)
	if err != nil {
		return Drill{}, fmt.Errorf("verify: %w", err)
	}
	return drill, nil
}

func (s *Service) drill(ctx context.Context, src io.Reader, name string, opts RestoreOptions) (Drill, error) {
	start := time.Now()
	r, err := archive.NewReader(&cancellable{ctx.Err, src}, s.cfg.readerOptions())
	if err != nil {
		return Drill{}, err
	}
	defer r.Close()
	h := r.Header()
	versions, err := s.checkVersions(h, opts)
	if err != nil {
		return Drill{}, err
	}
	s.sweepQuietly(ctx)
	staging, err := s.cfg.Tenants.StageScratch(ctx)
	if err != nil {
		return Drill{}, err
	}
	about := restoring{s: s, name: name, header: h, checks: opts.Checks}
	var warnings []Warning
	if err = s.build(ctx, staging.Schema(), versions, about); err == nil {
		warnings, err = s.fill(ctx, staging.Schema(), archiveRows{r}, about, opts.Drift)
	}
	if errClose := staging.Close(ctx); err == nil && errClose != nil {
		err = errClose
	}
	if err != nil {
		return Drill{}, err
	}
	m := r.Manifest()
	return Drill{
		Tenant: h.Tenant, TakenAt: h.TakenAt, Tables: len(m.Tables), Rows: m.Rows(), Bytes: m.Bytes(), Duration: time.Since(start),
		Warnings: warnings,
	}, nil
}
