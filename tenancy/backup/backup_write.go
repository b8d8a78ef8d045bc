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

// write writes the whole archive. It then checks that the tenant was not dropped during the backup:
// no new archive of an erased tenant may appear.
func (r *backupRun) write(ctx context.Context, dst io.Writer) error {
	if err := r.checkRows(ctx); err != nil {
		return err
	}
	meter := newHashWriter(dst)
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
	r.info.Size, r.info.SHA256 = meter.n, meter.sum().sha256
	r.info.Encrypted, r.info.Signed = len(r.s.cfg.Recipients) > 0, r.s.cfg.SigningKey != nil
	r.info.Duration = time.Since(r.start)
	return nil
}

// checkUnchanged returns [ErrChanged] if the tenant was dropped or has another schema.
func (r *backupRun) checkUnchanged(ctx context.Context) error {
	now, err := r.currentTenant(ctx)
	if err == nil && now.Schema != r.tenant.Schema {
		err = fmt.Errorf("%w: it now has schema %q", ErrChanged, now.Schema)
	}
	return err
}

// currentTenant returns the tenant, or [ErrChanged] if it was dropped or is being dropped. A backup
// calls it once more after all its files are in the store. An erasure lists the files after the
// drop, so that either the erasure finds the files or this call finds the drop.
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

// explain joins [ErrChanged] to a store error if the tenant was dropped: an erasure deletes files
// while a backup writes them.
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

// copySQL returns the COPY statement for a table without its inherited children. Before PostgreSQL
// 18, COPY of a partitioned table requires a query.
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

// hashWriter counts and hashes the bytes that it passes on to dst.
type hashWriter struct {
	dst  io.Writer
	n    int64
	hash hash.Hash
}

func newHashWriter(dst io.Writer) *hashWriter { return &hashWriter{dst: dst, hash: sha256.New()} }

func (m *hashWriter) sum() fileSum { return fileSum{m.n, hex.EncodeToString(m.hash.Sum(nil))} }

func (m *hashWriter) Write(p []byte) (int, error) {
	n, err := m.dst.Write(p)
	m.n += int64(n)
	m.hash.Write(p[:n])
	return n, err
}

// progressStep is the number of CSV bytes of one table between two progress events.
const progressStep = 64 << 20

// tableProgress reports the progress of a large table.
type tableProgress struct {
	io.Writer
	ctx   context.Context //nolint:containedctx // a tableProgress is used during one call of copyTable only
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
