package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// EditedPolicy decides about an archive that lists an applied migration whose file was edited
// since.
type EditedPolicy uint8

const (
	// EditedConfigured applies [migrate.Config].Changed, as for a live schema. It is the zero value.
	EditedConfigured EditedPolicy = iota

	// EditedRefuse returns a [VersionsError].
	EditedRefuse

	// EditedAllow builds the schema with the current files. If the archive's tables, columns and
	// sequences do not fit what these create, the error is a [MismatchError]. If its rows violate
	// their constraints, it is a [RowsError].
	EditedAllow
)

// ChecksPolicy decides about rows that a check refuses today although it was valid when they were
// backed up. Either the result of its functions has changed, or it depends on the time, the role or
// a setting.
type ChecksPolicy uint8

const (
	// ChecksKeep restores the rows, with a [Warning] for each such check. The check is valid, as it
	// was; one that depends on the time, the role or a setting is left NOT VALID. It is the zero
	// value.
	ChecksKeep ChecksPolicy = iota

	// ChecksRefuse returns a [RowsError].
	ChecksRefuse
)

// RestoreOptions are the options of a restore. The zero value creates a new tenant as the archive
// describes it.
type RestoreOptions struct {
	// Replace is the slug of the tenant whose data is replaced. Its row, slug, domains and status
	// stay. Default: a new tenant is created.
	Replace string

	// AnyTenant allows Replace with the archive of another tenant. Default: false, such an archive is
	// an [OtherTenantError].
	AnyTenant bool

	// Slug and Name are those of a new tenant. Default: those in the archive.
	Slug, Name string

	// Domain is the primary domain of a new tenant. Default: the archive's primary domain, and its
	// other verified domains too. They are taken from the archive without a check, as are plan and
	// limits: anyone who can write an unsigned archive chooses them. Set Domain if
	// [Config].TrustedKeys is empty.
	Domain string

	// AnyRegistry allows an archive of another registry, or one whose name contains no registry. It is
	// needed, for instance, in a database that was created anew after a disaster. Default: false, such
	// an archive is an [OtherRegistryError].
	AnyRegistry bool

	// Edited decides about migrations that were edited since the backup. Default: [EditedConfigured].
	// An archive contains the checksums at its time: if Changed is Refuse, an archive from before an
	// edit requires EditedAllow, also after [migrate.Runner.Accept].
	Edited EditedPolicy

	// Drift decides about an archive that lacks objects that its migrations create, or has them with
	// other types. Default: [DriftRefuse]. With [DriftRecord] the missing objects are as the
	// migrations create them. Additional tables and columns in the archive are always refused.
	Drift DriftPolicy

	// Checks decides about rows that a valid check refuses today. Default: [ChecksKeep]. Rows that
	// violate any other valid constraint are always a [RowsError].
	Checks ChecksPolicy
}

// RestoreResult describes a restore or a clone.
type RestoreResult struct {
	Tenant   tenancy.Tenant
	Retained string // replaced schema, for [Service.ConfirmRestore] and RevertRestore; empty for a new tenant
	TakenAt  time.Time
	Tables   int
	Rows     int64
	Bytes    int64 // of CSV
	Duration time.Duration
	Warnings []Warning // objects that could not be recreated as they were; all rows were restored
}

// Restore creates a tenant from an archive of the store, or replaces a tenant's data.
//
// It builds a staged schema beside the live ones. It applies the migrations that the archive lists,
// so that the rows fit the structure, and loads the rows with triggers disabled. It reads them
// back, compares them with the archive's checksums, runs newer migrations, compares the structure
// with what the migrations create, and runs ANALYZE. If statistics cannot be gathered or a
// materialized view cannot be populated, [RestoreResult].Warnings reports it. Then one statement of
// the registry makes the schema visible. Until then no existing data is changed, and no request
// waits.
//
// A new tenant has a new id, even if it restores a dropped one. It is suspended if the archived
// tenant was. A tenant whose data is replaced is served until the switch, and is in maintenance
// during it. Rows that its users wrote after the backup are not in the restored data. The replaced
// schema is retained until [Service.ConfirmRestore] drops it or [Service.RevertRestore] switches
// back to it.
//
// An archive is data: no SQL in it is run, and no name in it becomes part of SQL, because names are
// compared with those that the migrations created. An archive that is damaged, truncated, forged,
// or not signed by one of [Config].TrustedKeys is an error of package archive. One that does not
// fit is a [VersionsError], a [MismatchError], a [RowsError], a [ContentError] or an
// [OtherTenantError]. In all these cases nothing was changed. Other errors are those of
// [tenancy.Manager.StageTenant], [tenancy.Manager.StageReplacement], [tenancy.Staging.Adopt],
// [tenancy.Staging.Replace], the store and the database, and a [migrate.Error] of a newer migration
// that fails on the rows.
//
// After an error or a crash, run it again. The next restore or [Service.Sweep] drops what a crash
// has left. If the switch was interrupted, the error is a [tenancy.StepError], and
// [tenancy.Manager.Resume] finishes it. ctx governs everything except cleanup.
func (s *Service) Restore(ctx context.Context, name string, opts RestoreOptions) (RestoreResult, error) {
	var restored RestoreResult
	err := s.withFile(ctx, name, opts, func(src io.Reader) (err error) {
		restored, err = s.restore(ctx, src, name, opts)
		return err
	})
	if err != nil {
		err = fmt.Errorf("restore %q: %w", name, err)
	}
	s.logRestore(ctx, "restore", restored, err)
	return restored, err
}

// RestoreFrom is [Service.Restore] for an archive that it reads from src.
func (s *Service) RestoreFrom(ctx context.Context, src io.Reader, opts RestoreOptions) (RestoreResult, error) {
	restored, err := s.restore(ctx, src, "", opts)
	if err != nil {
		err = fmt.Errorf("restore: %w", err)
	}
	s.logRestore(ctx, "restore", restored, err)
	return restored, err
}

func (s *Service) logRestore(ctx context.Context, what string, r RestoreResult, err error) {
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, what+" failed", slog.Any("error", err))
		return
	}
	s.cfg.Logger.InfoContext(ctx, what+" done",
		slog.String("tenant", r.Tenant.Slug), slog.String("schema", r.Tenant.Schema),
		slog.String("retained", r.Retained), slog.Int64("rows", r.Rows), slog.Duration("duration", r.Duration))
}

// withFile opens a file of the store and calls fn with it.
func (s *Service) withFile(ctx context.Context, name string, opts RestoreOptions, fn func(src io.Reader) error) error {
	if s.cfg.Store == nil {
		return errNoStore
	}
	file, err := s.cfg.Store.Open(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	if !opts.AnyRegistry {
		if err := s.checkRegistry(ctx, name); err != nil {
			return err
		}
	}
	return fn(file)
}

func (s *Service) restore(ctx context.Context, src io.Reader, name string, opts RestoreOptions) (RestoreResult, error) {
	start := time.Now()
	r, err := archive.NewReader(&cancellable{ctx.Err, src}, s.cfg.readerOptions())
	if err != nil {
		return RestoreResult{}, err
	}
	defer r.Close()
	h := r.Header()
	versions, err := s.checkVersions(h, opts)
	if err != nil {
		return RestoreResult{}, err
	}
	s.trySweep(ctx)
	staging, err := s.stageRestore(ctx, h, opts)
	if err != nil {
		return RestoreResult{}, err
	}
	defer staging.Close(ctx) // logs an error; a sweep drops the schema later
	run := restoreRun{s: s, name: name, header: h, checks: opts.Checks}
	if err := s.build(ctx, staging.Schema(), versions, run); err != nil {
		return RestoreResult{}, err
	}
	warnings, err := s.fill(ctx, staging.Schema(), archiveRows{r}, run, opts.Drift)
	if err != nil {
		return RestoreResult{}, err
	}
	m := r.Manifest()
	restored := RestoreResult{
		TakenAt: h.TakenAt, Tables: len(m.Tables), Rows: m.Rows(), Bytes: m.Bytes(), Warnings: warnings,
	}
	run.report(ctx, Event{Kind: EventSwitching, Done: len(m.Tables)})
	if err := s.publish(ctx, staging, opts.Replace, &restored); err != nil {
		return restored, err
	}
	run.tenant = restored.Tenant
	run.report(ctx, Event{Kind: EventRestored, Done: len(m.Tables)})
	restored.Duration = time.Since(start)
	return restored, nil
}

// publish makes the staged schema a new tenant, or switches the tenant with the slug replace to it.
func (s *Service) publish(
	ctx context.Context, staging *tenancy.Staging, replace string, restored *RestoreResult,
) (err error) {
	if replace == "" {
		restored.Tenant, err = staging.Adopt(ctx)
		return err
	}
	if restored.Tenant, err = staging.Replace(ctx); err != nil {
		return err
	}
	retained, err := s.cfg.Tenants.RetainedSchema(ctx, restored.Tenant.Slug)
	restored.Retained = retained.Schema
	return err
}

func (s *Service) stageRestore(
	ctx context.Context, h archive.Header, opts RestoreOptions,
) (*tenancy.Staging, error) {
	if opts.Replace == "" {
		staging, err := s.cfg.Tenants.StageTenant(ctx, adoptParams(h.Tenant, opts))
		if errors.Is(err, tenancy.ErrSlugTaken) {
			err = fmt.Errorf("%w: set Replace to restore over that tenant, or Slug to create another one", err)
		}
		return staging, err
	}
	if opts.Slug != "" || opts.Name != "" || opts.Domain != "" {
		return nil, &tenancy.FieldError{
			Field: "replace", Value: opts.Replace, Rule: "cannot be combined with Slug, Name or Domain of a new tenant",
		}
	}
	t, err := s.cfg.Tenants.BySlug(ctx, opts.Replace)
	if err != nil {
		return nil, err
	}
	// Tenants of different registries can have equal ids, but hardly equal times of creation.
	if !opts.AnyTenant && (t.ID != h.Tenant.ID || !t.CreatedAt.Equal(h.Tenant.CreatedAt)) {
		return nil, &OtherTenantError{Slug: opts.Replace, Tenant: h.Tenant}
	}
	return s.cfg.Tenants.StageReplacement(ctx, opts.Replace)
}

func adoptParams(t archive.Tenant, opts RestoreOptions) tenancy.AdoptParams {
	p := tenancy.AdoptParams{
		Slug: t.Slug, Name: t.Name, Domain: opts.Domain, Plan: t.Plan, Limits: t.Limits, Metadata: t.Metadata,
	}
	if opts.Slug != "" {
		p.Slug = opts.Slug
	}
	if opts.Name != "" {
		p.Name = opts.Name
	}
	if tenancy.Status(t.Status) == tenancy.Suspended {
		p.Status, p.Reason = tenancy.Suspended, t.Reason
	}
	for _, d := range t.Domains {
		switch {
		case opts.Domain != "" || !d.Verified:
		case d.Primary && p.Domain == "":
			p.Domain = d.Host
		default:
			p.Domains = append(p.Domains, d.Host)
		}
	}
	return p
}

// build applies some versions of the migrations to a staged schema.
func (s *Service) build(ctx context.Context, schema string, versions []int64, run restoreRun) error {
	only, err := s.cfg.Migrations.Subset(versions)
	if err == nil {
		err = s.checkRoles(ctx)
	}
	if err != nil {
		return err
	}
	run.report(ctx, Event{Kind: EventBuilding})
	return only.MigrateUnused(ctx, schema)
}

// fill loads the rows into a built schema and runs the newer migrations.
func (s *Service) fill(
	ctx context.Context, schema string, src rowSource, run restoreRun, drift DriftPolicy,
) ([]Warning, error) {
	l, err := s.openLoader(ctx, schema, run)
	if err != nil {
		return nil, err
	}
	defer l.close(ctx)
	err = l.fill(ctx, src, drift)
	return l.warnings, err
}

func (l *loader) fill(ctx context.Context, src rowSource, drift DriftPolicy) error {
	run := l.restore
	var sequences []archive.Sequence
	err := l.transact(ctx, func(tx pgx.Tx) (err error) {
		sequences, err = l.catalog.readSequences(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	if err := l.compare(run.header, sequences, drift); err != nil {
		return err
	}
	if err := l.makePartitions(ctx, run.header.Partitions); err != nil {
		return err
	}
	for _, name := range run.header.LeftOut {
		l.warn(ctx, "table "+name, "is not in the backup, because it is one of migrate.Config.ExtraTables")
	}
	if err := l.load(ctx, src, run.header); err != nil {
		return err
	}
	run.report(ctx, Event{Kind: EventChecking, Done: len(run.header.Tables)})
	src.loaded(ctx)
	newer, err := l.s.cfg.Migrations.UpUnused(ctx, l.schema)
	if err != nil {
		return err
	}
	kinds := []string{"m"} // tables were analyzed after they were loaded
	if len(newer.Applied) > 0 {
		kinds = []string{"r", "p", "m"}
	}
	if err := l.analyze(ctx, kinds...); err != nil {
		return err
	}
	return l.checkStructure(ctx)
}

// checkStructure returns an error unless the schema is what its migrations create, except for
// checks that were left NOT VALID.
func (l *loader) checkStructure(ctx context.Context) error {
	s, schema := l.s, l.schema
	for _, age := range []referenceAge{referenceCached, referenceRebuilt} {
		want, err := s.expect(ctx, schema, age, EditedConfigured)
		if err != nil {
			return err
		}
		var differences []string
		for have, err := range drift.Read(ctx, s.cfg.Pool, s.fingerprintOptions(), schema) {
			if err != nil {
				return err
			}
			differences = want.differences(have, l.isNotValid)
		}
		if len(differences) == 0 {
			return nil
		}
		if age == referenceRebuilt {
			return &ContentError{Reason: fmt.Sprintf("the schema differs from what its migrations create: %v", differences)}
		}
	}
	return nil
}

// ConfirmRestore drops the schema that a restore has retained, [RestoreResult].Retained. It is
// irreversible, and has the requirements of a drop, with a token of
// [tenancy.Manager.RequestConfirm]. See [tenancy.Manager.ConfirmReplacement].
func (s *Service) ConfirmRestore(ctx context.Context, p tenancy.DropParams, retained string) (tenancy.Tenant, error) {
	return s.cfg.Tenants.ConfirmReplacement(ctx, p, retained)
}

// RevertRestore switches back to the schema that a restore has retained, [RestoreResult].Retained,
// and retains the restored schema instead. See [tenancy.Manager.RevertReplacement].
func (s *Service) RevertRestore(ctx context.Context, slug, retained string) (tenancy.Tenant, error) {
	return s.cfg.Tenants.RevertReplacement(ctx, slug, retained)
}

// Sweep drops the staged schemas of killed restores. Each restore calls it first. See
// [tenancy.Manager.SweepStagedSchemas].
func (s *Service) Sweep(ctx context.Context) (tenancy.SweepReport, error) {
	return s.cfg.Tenants.SweepStagedSchemas(ctx)
}

func (s *Service) trySweep(ctx context.Context) {
	if _, err := s.Sweep(ctx); err != nil {
		s.cfg.Logger.WarnContext(ctx, "auxiliary schemas not swept", slog.Any("error", err))
	}
}

// restoreRun is one running restore, as its events describe it.
type restoreRun struct {
	s      *Service
	name   string
	header archive.Header
	tenant tenancy.Tenant // set after the restore published it
	checks ChecksPolicy
}

func (r restoreRun) report(ctx context.Context, e Event) {
	e.Tenant, e.Name, e.Tables = r.tenant, r.name, len(r.header.Tables)
	if e.Tenant.ID == 0 {
		e.Tenant = tenancy.Tenant{ID: r.header.Tenant.ID, Slug: r.header.Tenant.Slug, Name: r.header.Tenant.Name}
	}
	r.s.cfg.Progress(ctx, e)
}

// archiveRows is the rowSource of a restore: it reads rows from an archive.
type archiveRows struct{ r *archive.Reader }

func (a archiveRows) next(context.Context) (archive.Table, io.Reader, error) {
	t, err := a.r.Next()
	if err != nil {
		return archive.Table{}, nil, err
	}
	return t.Table, t, nil
}

func (a archiveRows) sum(table string) (archive.TableSum, bool) { return a.r.Manifest().Table(table) }

func (a archiveRows) hidden(string) []int { return nil }

func (a archiveRows) loaded(context.Context) {}
