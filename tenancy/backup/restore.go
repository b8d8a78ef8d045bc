package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// EditedPolicy says what becomes of an archive of a schema in which a migration was applied whose file is another one now.
type EditedPolicy uint8

const (
	// EditedConfigured is what [migrate.Config].Changed says, for an archive as for a live schema. It is the zero value.
	EditedConfigured EditedPolicy = iota

	// EditedRefuse returns a [VersionsError].
	EditedRefuse

	// EditedAllow builds the schema with the files as they are now. The archive's tables, columns and sequences must fit
	// what these make, which else is a [MismatchError], and its rows the constraints, which else is a [RowsError].
	EditedAllow
)

// ChecksPolicy says what becomes of rows that a check refuses today although it was valid when they
// were backed up: its functions give another result, or it depends on the time, the role or a
// setting.
type ChecksPolicy uint8

const (
	// ChecksKeep restores the rows, with a [Warning] for each such check. It is valid, as it was; one
	// that depends on the time, the role or a setting is left NOT VALID. It is the zero value.
	ChecksKeep ChecksPolicy = iota

	// ChecksRefuse returns a [RowsError].
	ChecksRefuse
)

// RestoreOptions say what becomes of an archive. The zero value makes a new tenant as the archive describes it.
type RestoreOptions struct {
	// Replace is the slug of the tenant whose data is to be replaced; its row, slug, domains and status stay. Default: a new tenant is made.
	Replace string

	// AnyTenant allows Replace with the archive of another tenant, which else is an [OtherTenantError].
	AnyTenant bool

	// Slug and Name are those of a new tenant. Default: those of the archive.
	Slug, Name string

	// Domain is the primary domain of a new tenant. Default: that of the archive, with all others that were verified. They are taken at the
	// archive's word, as plan and limits are: whoever can write an unsigned archive chooses them. Give it where [Config].TrustedKeys are none.
	Domain string

	// AnyRegistry allows an archive of another registry, or one whose name has no registry: for
	// instance in a database that was made anew after a disaster. Default: false, such an archive
	// is a [OtherRegistryError].
	AnyRegistry bool

	// Edited is what becomes of migrations that were edited since. Default: [EditedConfigured]. An archive keeps the checksums of
	// its time: where Changed is Refuse, one from before an edit takes EditedAllow, also after [migrate.Runner.Accept].
	Edited EditedPolicy

	// Drift is what becomes of an archive that lacks some of what its migrations make, or has it in other types. Default: [DriftRefuse].
	// With [DriftRecord] what lacks is as migrations make it; what the archive has in excess is refused in any case.
	Drift DriftPolicy

	// Checks is what becomes of rows that a valid check refuses today. Default: [ChecksKeep]. Rows
	// that violate any other valid constraint are a [RowsError] in any case.
	Checks ChecksPolicy
}

// RestoreResult is what came of a restore.
type RestoreResult struct {
	Tenant   tenancy.Tenant
	Retained string // the schema that was replaced, for [Service.ConfirmRestore] or [Service.RevertRestore]; empty for a new tenant
	TakenAt  time.Time
	Tables   int
	Rows     int64
	Bytes    int64 // of CSV
	Duration time.Duration
	Warnings []Warning // what could not be made as it was; no row is missing
}

// Restore makes a tenant of an archive of the store, or replaces a tenant's data with one.
//
// The schema is built anew, beside everything that is there: by the migrations that the archive's schema had, so that data finds the
// structure that it was in; then filled, with triggers off, read back and compared with the archive's checksums, migrated up to date,
// compared with what the migrations make, and analysed. Statistics that cannot be gathered, and
// materialized views that cannot be populated, are [RestoreResult].Warnings. Only then it becomes
// visible, by one statement of the registry. Until then nothing that was there is touched, and
// nobody waits. A new tenant, also one that was dropped before, has a new id, and a suspended one
// stays suspended. A tenant whose data is replaced is served until the switch, and in maintenance
// during it; what its users have written since the backup is not in it. The schema that was stays
// aside, until [Service.ConfirmRestore] drops it or [Service.RevertRestore] takes it back.
//
// An archive is data. No SQL in it is run, and no name in it becomes part of SQL: what it has is compared with what the
// migrations have made. Refused, with everything as it was, are archives that are damaged, cut off, forged or not signed by whom
// [Config].TrustedKeys trust (errors of package archive), and with a [VersionsError], a [MismatchError], a [RowsError], a [ContentError] or an
// [OtherTenantError] those that do not fit. Other errors are those of [tenancy.Manager.StageTenant], [tenancy.Manager.StageReplacement], [tenancy.Staging.Adopt],
// [tenancy.Staging.Replace], the store, the database, and a [migrate.Error] of migrations that the data does not survive.
//
// After any error, a crash too, it is simply run again; what a crash has left is dropped by the next restore, or by [Service.Sweep]. One that
// stopped in the middle of the switch is a [tenancy.StepError], with which [tenancy.Manager.Resume] goes on. ctx governs everything but for the cleaning up.
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

// RestoreFrom is [Service.Restore] of an archive that src has.
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
	s.cfg.Logger.InfoContext(ctx, what+" done", slog.String("tenant", r.Tenant.Slug), slog.String("schema", r.Tenant.Schema),
		slog.String("aside", r.Retained), slog.Int64("rows", r.Rows), slog.Duration("duration", r.Duration))
}

// opened calls fn with a file of the store.
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
	defer staging.Close(ctx) // an error is logged, and left to the sweep
	about := restoreRun{s: s, name: name, header: h, checks: opts.Checks}
	if err := s.build(ctx, staging.Schema(), versions, about); err != nil {
		return RestoreResult{}, err
	}
	warnings, err := s.fill(ctx, staging.Schema(), archiveRows{r}, about, opts.Drift)
	if err != nil {
		return RestoreResult{}, err
	}
	m := r.Manifest()
	restored := RestoreResult{TakenAt: h.TakenAt, Tables: len(m.Tables), Rows: m.Rows(), Bytes: m.Bytes(), Warnings: warnings}
	about.report(ctx, Event{Kind: EventSwitching, Done: len(m.Tables)})
	if err := s.publish(ctx, staging, opts.Replace, &restored); err != nil {
		return restored, err
	}
	about.tenant = restored.Tenant
	about.report(ctx, Event{Kind: EventRestored, Done: len(m.Tables)})
	restored.Duration = time.Since(start)
	return restored, nil
}

// publish makes the staged schema what it was staged for.
func (s *Service) publish(ctx context.Context, staging *tenancy.Staging, replace string, restored *RestoreResult) (err error) {
	if replace == "" {
		restored.Tenant, err = staging.Adopt(ctx)
		return err
	}
	if restored.Tenant, err = staging.Replace(ctx); err != nil {
		return err
	}
	aside, err := s.cfg.Tenants.Aside(ctx, restored.Tenant.Slug)
	restored.Retained = aside.Schema
	return err
}

func (s *Service) stageRestore(ctx context.Context, h archive.Header, opts RestoreOptions) (*tenancy.Staging, error) {
	if opts.Replace == "" {
		staging, err := s.cfg.Tenants.StageTenant(ctx, adoptParams(h.Tenant, opts))
		if errors.Is(err, tenancy.ErrSlugTaken) {
			err = fmt.Errorf("%w: Replace restores over that tenant, and Slug names a new one", err)
		}
		return staging, err
	}
	if opts.Slug != "" || opts.Name != "" || opts.Domain != "" {
		return nil, &tenancy.FieldError{Field: "replace", Value: opts.Replace, Rule: "is given together with what only a new tenant gets"}
	}
	t, err := s.cfg.Tenants.BySlug(ctx, opts.Replace)
	if err != nil {
		return nil, err
	}
	// Ids begin anew in every registry; the time of creation does not.
	if !opts.AnyTenant && (t.ID != h.Tenant.ID || !t.CreatedAt.Equal(h.Tenant.CreatedAt)) {
		return nil, &OtherTenantError{Slug: opts.Replace, Tenant: h.Tenant}
	}
	return s.cfg.Tenants.StageReplacement(ctx, opts.Replace)
}

func adoptParams(t archive.Tenant, opts RestoreOptions) tenancy.AdoptParams {
	p := tenancy.AdoptParams{Slug: t.Slug, Name: t.Name, Domain: opts.Domain, Plan: t.Plan, Limits: t.Limits, Metadata: t.Metadata}
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

// build makes the structure of a staged schema, with some versions of the migrations.
func (s *Service) build(ctx context.Context, schema string, versions []int64, about restoreRun) error {
	only, err := s.cfg.Migrations.Only(versions)
	if err == nil {
		err = s.checkRoles(ctx)
	}
	if err != nil {
		return err
	}
	about.report(ctx, Event{Kind: EventBuilding})
	return only.MigrateUnused(ctx, schema)
}

// fill loads the rows into a staged schema that was built, and runs the migrations that there have been since.
func (s *Service) fill(ctx context.Context, schema string, src rowSource, about restoreRun, drift DriftPolicy) ([]Warning, error) {
	l, err := s.openLoader(ctx, schema, about)
	if err != nil {
		return nil, err
	}
	defer l.close(ctx)
	err = l.fill(ctx, src, drift)
	return l.warnings, err
}

func (l *loader) fill(ctx context.Context, src rowSource, drift DriftPolicy) error {
	about := l.restore
	var sequences []archive.Sequence
	err := l.transact(ctx, func(tx pgx.Tx) (err error) {
		sequences, err = l.catalog.readSequences(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	if err := l.compare(about.header, sequences, drift); err != nil {
		return err
	}
	if err := l.makePartitions(ctx, about.header.Partitions); err != nil {
		return err
	}
	for _, name := range about.header.LeftOut {
		l.warn(ctx, "table "+name, "was left out of the backup, as it is one of migrate.Config.ExtraTables")
	}
	if err := l.load(ctx, src, about.header); err != nil {
		return err
	}
	about.report(ctx, Event{Kind: EventChecking, Done: len(about.header.Tables)})
	src.loaded(ctx)
	newer, err := l.s.cfg.Migrations.UpUnused(ctx, l.schema)
	if err != nil {
		return err
	}
	kinds := []string{"m"} // the others are known since they were loaded
	if len(newer.Applied) > 0 {
		kinds = []string{"r", "p", "m"}
	}
	if err := l.analyze(ctx, kinds...); err != nil {
		return err
	}
	return l.checkStructure(ctx)
}

// checkStructure returns an error unless the schema is what its migrations make, except for checks
// that were left NOT VALID.
func (l *loader) checkStructure(ctx context.Context) error {
	s, schema := l.s, l.schema
	for _, age := range []referenceAge{referenceCached, referenceRebuilt} {
		want, err := s.expect(ctx, schema, age, EditedConfigured)
		if err != nil {
			return err
		}
		var differences []string
		for have, err := range migrate.Fingerprint(ctx, s.cfg.Pool, s.fingerprintOptions(), schema) {
			if err != nil {
				return err
			}
			differences = want.differences(have, l.isNotValid)
		}
		if len(differences) == 0 {
			return nil
		}
		if age == referenceRebuilt {
			return &ContentError{Reason: fmt.Sprintf("the schema is not what its migrations make: %v", differences)}
		}
	}
	return nil
}

// ConfirmRestore drops the schema that a restore has retained, [RestoreResult].Retained. It cannot be
// undone, and needs what a drop needs, with a token of [tenancy.Manager.RequestConfirm]. See
// [tenancy.Manager.ConfirmReplacement].
func (s *Service) ConfirmRestore(ctx context.Context, p tenancy.DropParams, aside string) (tenancy.Tenant, error) {
	return s.cfg.Tenants.ConfirmReplacement(ctx, p, aside)
}

// RevertRestore takes the schema back that a restore has set aside, [RestoreResult].Retained, and keeps the restored one aside instead. See
// [tenancy.Manager.RevertReplacement].
func (s *Service) RevertRestore(ctx context.Context, slug, aside string) (tenancy.Tenant, error) {
	return s.cfg.Tenants.RevertReplacement(ctx, slug, aside)
}

// Sweep drops the schemas of restores that were killed. Each restore does it first. See [tenancy.Manager.SweepSideSchemas].
func (s *Service) Sweep(ctx context.Context) (tenancy.SideSweepReport, error) {
	return s.cfg.Tenants.SweepSideSchemas(ctx)
}

func (s *Service) trySweep(ctx context.Context) {
	if _, err := s.Sweep(ctx); err != nil {
		s.cfg.Logger.WarnContext(ctx, "side schemas not swept", slog.Any("error", err))
	}
}

// restoring is what there is to tell of a restore under way.
type restoreRun struct {
	s      *Service
	name   string
	header archive.Header
	tenant tenancy.Tenant // when it is there
	checks ChecksPolicy
}

func (r restoreRun) report(ctx context.Context, e Event) {
	e.Tenant, e.Name, e.Tables = r.tenant, r.name, len(r.header.Tables)
	if e.Tenant.ID == 0 {
		e.Tenant = tenancy.Tenant{ID: r.header.Tenant.ID, Slug: r.header.Tenant.Slug, Name: r.header.Tenant.Name}
	}
	r.s.cfg.Progress(ctx, e)
}

// archiveRows takes rows from an archive.
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
