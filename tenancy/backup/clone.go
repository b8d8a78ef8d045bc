package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// CloneData says what a clone gets.
type CloneData uint8

const (
	// CloneAll copies all rows. It is the zero value.
	CloneAll CloneData = iota

	// CloneStructure copies no rows: the tables have what migrations put there, and are at the newest
	// versions.
	CloneStructure
)

// CloneOptions say what tenant a clone becomes.
type CloneOptions struct {
	Slug   string // see [tenancy.ValidateSlug]
	Name   string // display name; default: Slug
	Domain string // its primary domain; default: none

	// Data is what is copied. Default: [CloneAll].
	Data CloneData

	// Edited is what becomes of migrations that were edited since the tenant has applied them, as
	// [RestoreOptions].Edited. Default: [EditedConfigured].
	Edited EditedPolicy

	// Drift is what becomes of a tenant whose schema is not what its migrations make, as
	// [RestoreOptions].Drift. With [DriftRecord] the clone is what the migrations make, with the
	// rows as far as they fit. Default: [DriftRefuse].
	Drift DriftPolicy

	// Anonymize are called for each value of their columns. Constraints hold of what they return: a
	// unique column needs different values, a reference one that is there. Generated columns follow. A
	// column that the tenant does not have is a [tenancy.FieldError]. Default: all is copied as it is.
	Anonymize map[Column]Anonymizer
}

// Clone makes a new tenant with the rows of another: as they are at one moment, streamed from table
// to table in constant memory, while both that tenant and all others are served. Sequences stand
// where they stood. Plan, limits and metadata are copied; domains and the status are not. As a
// restore, it is built beside everything, with the same checks, and seen only when it is whole;
// after an error, or a crash, it is run again.
//
// What a schema must not have to be backed up, it must not have to be cloned: the errors are those
// of [Service.Backup] and of
// [Service.Restore] with a new tenant.
func (s *Service) Clone(ctx context.Context, slug string, opts CloneOptions) (RestoreResult, error) {
	restored, err := s.clone(ctx, slug, opts)
	if err != nil {
		err = fmt.Errorf("clone tenant %q: %w", slug, err)
	}
	s.logRestore(ctx, "clone", restored, err)
	return restored, err
}

func (s *Service) clone(ctx context.Context, slug string, opts CloneOptions) (RestoreResult, error) {
	start := time.Now()
	if opts.Data > CloneStructure {
		return RestoreResult{}, &tenancy.FieldError{Field: "data", Value: fmt.Sprint(opts.Data), Rule: "is neither CloneAll nor CloneStructure"}
	}
	from, err := s.begin(ctx, slug, opts.policies())
	if err != nil {
		return RestoreResult{}, err
	}
	h := from.snap.header
	from.end(ctx) // migrations may wait for snapshots
	if _, err := anonymizersOf(h.Tables, opts.Anonymize); err != nil {
		return RestoreResult{}, err
	}
	s.trySweep(ctx)
	staging, err := s.cfg.Tenants.StageTenant(ctx, tenancy.AdoptParams{
		Slug: opts.Slug, Name: opts.Name, Domain: opts.Domain, Plan: h.Tenant.Plan, Limits: h.Tenant.Limits, Metadata: h.Tenant.Metadata,
	})
	if err != nil {
		return RestoreResult{}, err
	}
	defer staging.Close(ctx) // an error is logged, and left to the sweep
	restored := RestoreResult{TakenAt: h.TakenAt}
	if opts.Data == CloneStructure {
		if err := s.copyStructure(ctx, staging.Schema(), h); err != nil {
			return RestoreResult{}, err
		}
	} else if err := s.copyTenant(ctx, from, staging.Schema(), opts, &restored); err != nil {
		return RestoreResult{}, err
	}
	if err := from.checkUnchanged(ctx); err != nil {
		return RestoreResult{}, err
	}
	err = s.publish(ctx, staging, "", &restored)
	restored.Duration = time.Since(start)
	return restored, err
}

func (o CloneOptions) policies() snapshotOptions {
	return snapshotOptions{drift: o.Drift, edited: o.Edited}
}

// copyStructure migrates a staged schema, and makes the partitions that were made at run time.
func (s *Service) copyStructure(ctx context.Context, schema string, h archive.Header) error {
	if err := s.checkRoles(ctx); err != nil {
		return err
	}
	if err := s.cfg.Migrations.MigrateUnused(ctx, schema); err != nil || len(h.Partitions) == 0 {
		return err
	}
	l, err := s.openLoader(ctx, schema, restoreRun{s: s, header: h})
	if err != nil {
		return err
	}
	defer l.close(ctx)
	return l.makePartitions(ctx, h.Partitions)
}

// copyTenant builds a staged schema and copies the tenant's rows into it. The snapshot that has the
// rows is taken when the structure is built, and ended before other migrations run: a migration may
// wait for all snapshots there are. from had one before.
func (s *Service) copyTenant(ctx context.Context, from *backupRun, schema string, opts CloneOptions, restored *RestoreResult) error {
	versions := versionsOf(from.snap.status)
	for range maxSnapshots {
		if err := s.build(ctx, schema, versions, restoreRun{s: s, header: from.snap.header}); err != nil {
			return err
		}
		now, err := s.prepare(ctx, from.tenant.Slug, opts.policies())
		if err != nil {
			return err
		}
		if now.tenant.ID != from.tenant.ID {
			now.end(ctx)
			return fmt.Errorf("%w: it is another tenant now", ErrChanged)
		}
		if moved := versionsOf(now.snap.status); !slices.Equal(moved, versions) {
			now.end(ctx)
			versions = moved // it was migrated meanwhile, and so is its copy
			continue
		}
		restored.TakenAt = now.snap.header.TakenAt
		return s.copyRows(ctx, now, schema, opts, restored)
	}
	return fmt.Errorf("%w: schema %q had other migrations each of %d times", ErrChanged, from.tenant.Schema, maxSnapshots)
}

func (s *Service) copyRows(ctx context.Context, from *backupRun, schema string, opts CloneOptions, restored *RestoreResult) error {
	defer from.end(ctx)
	h := from.snap.header
	hide, err := anonymizersOf(h.Tables, opts.Anonymize)
	if err != nil {
		return err
	}
	rows := &clonedRows{run: from, anonymizers: hide, sums: make(map[string]archive.TableSum)}
	defer rows.stop()
	if restored.Warnings, err = s.fill(ctx, schema, rows, restoreRun{s: s, header: h}, opts.Drift); err != nil {
		return err
	}
	for _, sum := range rows.sums {
		restored.Rows += sum.Rows
		restored.Bytes += sum.Bytes
	}
	restored.Tables = len(rows.sums)
	return nil
}

// clonedRows takes rows from a snapshot, table by table, through a pipe.
type clonedRows struct {
	run         *backupRun
	anonymizers map[string]anonymizers
	n           int // tables that were begun
	pipe        *io.PipeReader
	done        chan struct{} // closed when the table that was begun is read
	sums        map[string]archive.TableSum
}

func (c *clonedRows) next(ctx context.Context) (archive.Table, io.Reader, error) {
	c.stop()
	if c.n == len(c.run.snap.header.Tables) {
		return archive.Table{}, nil, io.EOF
	}
	table := c.run.snap.header.Tables[c.n]
	c.n++
	sql, err := copySQL(c.run.snap.header.Schema, table)
	if err != nil {
		return table, nil, err
	}
	r, w := io.Pipe()
	c.pipe, c.done = r, make(chan struct{})
	go func() {
		defer close(c.done)
		sum, err := c.copy(ctx, table.Name, sql, w)
		c.sums[table.Name] = sum
		w.CloseWithError(err) // nil: io.EOF
	}()
	return table, r, nil
}

// stop ends the table that was begun: nobody reads it any more.
func (c *clonedRows) stop() {
	if c.pipe != nil {
		_ = c.pipe.CloseWithError(errReaderStopped) // never fails
		<-c.done
	}
}

var errReaderStopped = errors.New("nobody reads on")

// sum returns what was sent, also of a table of which nobody has read the end yet.
func (c *clonedRows) sum(table string) (archive.TableSum, bool) {
	sum, ok := c.sums[table]
	return sum, ok
}

// loaded ends the snapshot.
func (c *clonedRows) loaded(ctx context.Context) {
	c.stop()
	c.run.end(ctx)
}

func (c *clonedRows) hidden(table string) []int {
	return slices.Sorted(maps.Keys(c.anonymizers[table]))
}
