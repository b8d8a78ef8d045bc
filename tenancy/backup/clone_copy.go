package backup

import (
	"bufio"
	"context"
	"io"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

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
