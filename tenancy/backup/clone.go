package backup

import (
	"bufio"
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

// CloneData says which rows a clone gets.
type CloneData uint8

const (
	// CloneAll copies all rows. It is the zero value.
	CloneAll CloneData = iota

	// CloneStructure copies no rows. The tables contain what the migrations insert, and the schema is
	// at the newest version.
	CloneStructure
)

// CloneOptions are the options of [Service.Clone].
type CloneOptions struct {
	Slug   string // see [tenancy.ValidateSlug]
	Name   string // display name; default: Slug
	Domain string // its primary domain; default: none

	// Data says which rows are copied. Default: [CloneAll].
	Data CloneData

	// Edited decides about migrations that were edited after the tenant applied them, see
	// [RestoreOptions].Edited. Default: [EditedConfigured].
	Edited EditedPolicy

	// Drift decides about a tenant whose schema differs from what its migrations create, see
	// [RestoreOptions].Drift. With [DriftRecord] the clone's structure is what the migrations create,
	// with the rows as far as they fit. Default: [DriftRefuse].
	Drift DriftPolicy

	// Anonymize are called for each value of their columns. Their results must satisfy the
	// constraints: a unique column needs distinct values, and a foreign key needs values that exist.
	// Generated columns are computed from the results. A column that the tenant does not have is a
	// [tenancy.FieldError]. Default: all values are copied unchanged.
	Anonymize map[Column]Anonymizer
}

// Clone creates a new tenant with the rows of another tenant at one moment. It streams them from
// table to table in constant memory, while all tenants are served. Sequences keep their state.
// Plan, limits and metadata are copied; domains and the status are not. Like a restore, it builds a
// staged schema, runs the same checks, and publishes the schema only when it is complete. After an
// error or a crash it can be run again.
//
// A schema that cannot be backed up cannot be cloned. The errors are those of [Service.Backup] and
// of [Service.Restore] with a new tenant.
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
		return RestoreResult{}, &tenancy.FieldError{
			Field: "data", Value: fmt.Sprint(opts.Data), Rule: "is neither CloneAll nor CloneStructure",
		}
	}
	from, err := s.begin(ctx, slug, opts.policies())
	if err != nil {
		return RestoreResult{}, err
	}
	h := from.snap.header
	from.end(ctx) // a migration may wait for the end of all snapshots
	if _, err := anonymizersOf(h.Tables, opts.Anonymize); err != nil {
		return RestoreResult{}, err
	}
	s.trySweep(ctx)
	staging, err := s.cfg.Tenants.StageTenant(ctx, tenancy.AdoptParams{
		Slug: opts.Slug, Name: opts.Name, Domain: opts.Domain,
		Plan: h.Tenant.Plan, Limits: h.Tenant.Limits, Metadata: h.Tenant.Metadata,
	})
	if err != nil {
		return RestoreResult{}, err
	}
	defer staging.Close(ctx) // logs an error; a sweep drops the schema later
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

// copyStructure migrates a staged schema and creates the partitions that were created at run time.
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

// copyTenant builds a staged schema and copies the tenant's rows into it. It takes the snapshot of
// the rows after the structure was built, and ends it before other migrations run, because a
// migration may wait for the end of all snapshots. The snapshot of from has already ended.
func (s *Service) copyTenant(
	ctx context.Context, from *backupRun, schema string, opts CloneOptions, restored *RestoreResult,
) error {
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
			return fmt.Errorf("%w: another tenant now has its slug", ErrChanged)
		}
		if moved := versionsOf(now.snap.status); !slices.Equal(moved, versions) {
			now.end(ctx)
			versions = moved // it was migrated since, so the copy is built again at its new versions
			continue
		}
		restored.TakenAt = now.snap.header.TakenAt
		return s.copyRows(ctx, now, schema, opts, restored)
	}
	return fmt.Errorf("%w: schema %q was migrated during each of %d attempts",
		ErrChanged, from.tenant.Schema, maxSnapshots)
}

func (s *Service) copyRows(
	ctx context.Context, from *backupRun, schema string, opts CloneOptions, restored *RestoreResult,
) error {
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

// clonedRows is the rowSource of a clone: it reads rows from a snapshot, table by table, through a
// pipe.
type clonedRows struct {
	run         *backupRun
	anonymizers map[string]anonymizers
	n           int // number of started tables
	pipe        *io.PipeReader
	done        chan struct{} // closed when the current table was read
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

// stop ends the current table, which has no reader any more.
func (c *clonedRows) stop() {
	if c.pipe != nil {
		_ = c.pipe.CloseWithError(errReaderStopped) // never fails
		<-c.done
	}
}

var errReaderStopped = errors.New("reader has stopped")

// sum returns the sum of the rows that were sent, also for a table that the loader has not read to
// its end yet.
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

// copy sends the rows of a table and returns their sum after anonymization, in the form in which
// they will be read back.
func (c *clonedRows) copy(ctx context.Context, table, sql string, to io.Writer) (archive.TableSum, error) {
	pg := c.run.snap.pooled.Conn().PgConn()
	meter := newHashWriter(to)
	sum := archive.TableSum{Name: table}
	hide := c.anonymizers[table]
	if hide == nil {
		out := bufio.NewWriterSize(meter, 64<<10)
		tag, err := pg.CopyTo(ctx, out, sql)
		if err == nil {
			err = out.Flush()
		}
		err = copyError(c.run.snap.header.Schema, table, err)
		sum.Rows, sum.Bytes, sum.SHA256 = tag.RowsAffected(), meter.n, meter.sum().sha256
		return sum, err
	}
	r, w := io.Pipe()
	rewritten := make(chan error, 1)
	go func() {
		err := hide.rewrite(ctx, table, r, meter)
		r.CloseWithError(err)
		rewritten <- err
	}()
	out := bufio.NewWriterSize(w, 64<<10)
	tag, err := pg.CopyTo(ctx, out, sql)
	if err == nil {
		err = out.Flush()
	}
	err = copyError(c.run.snap.header.Schema, table, err)
	w.CloseWithError(err)
	if errRewrite := <-rewritten; errRewrite != nil {
		err = errRewrite
	}
	sum.Rows, sum.Bytes = tag.RowsAffected(), meter.n
	return sum, err
}
