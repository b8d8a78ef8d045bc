package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// write writes the whole archive, and looks at the tenant again: it must not be one that was dropped meanwhile, as a new archive of a
// tenant that was erased is not to appear.
func (r *backupRun) write(ctx context.Context, dst io.Writer) error {
	if err := r.checkRows(ctx); err != nil {
		return err
	}
	meter := &hashWriter{dst: dst, hash: sha256.New()}
	w, err := archive.NewWriter(meter, r.snap.header, r.s.cfg.writerOptions())
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, table := range r.snap.header.Tables {
		if err := r.copyTable(ctx, w, table); err != nil {
			return fmt.Errorf("table %q: %w", table.Name, err)
		}
	}
	r.snap.close(ctx)
	r.snap.pooled = nil
	if r.manifest, err = w.Close(); err != nil {
		return err
	}
	if err := r.checkUnchanged(ctx); err != nil {
		return err
	}
	r.info.describe(r.snap.header, r.manifest)
	r.info.Size, r.info.SHA256 = meter.n, hex.EncodeToString(meter.hash.Sum(nil))
	r.info.Encrypted, r.info.Signed = len(r.s.cfg.Recipients) > 0, r.s.cfg.SigningKey != nil
	r.info.Duration = time.Since(r.start)
	return nil
}

func (r *backupRun) checkUnchanged(ctx context.Context) error {
	now, err := r.currentTenant(ctx)
	if err == nil && now.Schema != r.tenant.Schema {
		err = fmt.Errorf("%w: its schema is %q now", ErrChanged, now.Schema)
	}
	return err
}

// still returns the tenant, unless it is on its way out. It is asked once more when all files are in the store: an erasure looks for them
// behind the drop, so that it finds them, or is found here.
func (r *backupRun) currentTenant(ctx context.Context) (tenancy.Tenant, error) {
	now, err := r.s.cfg.Tenants.ByID(ctx, r.tenant.ID)
	switch {
	case errors.Is(err, tenancy.ErrNotFound):
		err = fmt.Errorf("%w: it was dropped", ErrChanged)
	case err == nil && now.Status == tenancy.Dropping:
		err = fmt.Errorf("%w: it is being dropped", ErrChanged)
	}
	return now, err
}

// left adds to an error of the store that the tenant is on its way out, where that may be why: an erasure removes files while they are written.
func (r *backupRun) explain(ctx context.Context, err error) error {
	if errors.Is(err, ErrChanged) {
		return err
	}
	if _, gone := r.currentTenant(ctx); errors.Is(gone, ErrChanged) {
		return errors.Join(gone, err)
	}
	return err
}

// copyTable writes the rows of one table.
func (r *backupRun) copyTable(ctx context.Context, w *archive.Writer, table archive.Table) error {
	sql, err := copySQL(r.snap.header.Schema, table)
	if err != nil {
		return err
	}
	tw, err := w.Table(table.Name)
	if err != nil {
		return err
	}
	progress := &tableProgress{Writer: tw, ctx: ctx, run: r, table: table.Name}
	tag, err := r.snap.pooled.Conn().PgConn().CopyTo(ctx, progress, sql)
	if err != nil {
		return copyError(r.snap.header.Schema, table.Name, err)
	}
	if err := tw.Close(tag.RowsAffected()); err != nil {
		return err
	}
	r.done++
	r.report(ctx, Event{Kind: EventTable, Table: table.Name, Rows: tag.RowsAffected(), Bytes: progress.n})
	return nil
}

// copySQL returns the COPY of a table's own columns. That of a partitioned table has to be a query before PostgreSQL 18.
func copySQL(schema string, table archive.Table) (string, error) {
	name, err := schemactx.QuoteName(schema, table.Name)
	if err != nil {
		return "", err
	}
	columns := table.Stored()
	for i, c := range columns {
		if columns[i], err = schemactx.QuoteName(c); err != nil {
			return "", err
		}
	}
	list := strings.Join(columns, ", ")
	switch {
	case table.Partitioned:
		name = "(select " + list + " from " + name + ")"
	case list != "":
		name += " (" + list + ")"
	}
	return "copy " + name + " to stdout (format csv, header, encoding 'UTF8')", nil
}

// meter counts and hashes what goes to the store.
type hashWriter struct {
	dst  io.Writer
	n    int64
	hash hash.Hash
}

func (m *hashWriter) Write(p []byte) (int, error) {
	n, err := m.dst.Write(p)
	m.n += int64(n)
	m.hash.Write(p[:n])
	return n, err
}

// progressStep is after how much CSV of one table progress is told.
const progressStep = 64 << 20

// tableProgress tells of a large table before it is done.
type tableProgress struct {
	io.Writer
	ctx   context.Context //nolint:containedctx // it lives as long as the call of copyTable that it is of
	run   *backupRun
	table string
	n     int64
}

func (p *tableProgress) Write(row []byte) (int, error) {
	n, err := p.Writer.Write(row)
	before := p.n / progressStep
	if p.n += int64(n); p.n/progressStep > before {
		p.run.report(p.ctx, Event{Kind: EventRows, Table: p.table, Bytes: p.n})
	}
	return n, err
}
