package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/bits"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// readBack reads loaded tables as a backup would, on its own connection, while the next ones are
// loaded.
type readBack struct {
	schema string
	conn   *pgx.Conn
	tables chan tableToRead
	done   chan struct{}
	stop   context.CancelCauseFunc // stops the load
	sums   map[string]tableReadBack
	err    error
}

// tableToRead is a loaded and committed table.
type tableToRead struct {
	archive.Table
	excluded []int // indexes of anonymized columns
}

// tableReadBack is the sum of a table that was read back.
type tableReadBack struct {
	rows   int64
	sha256 string
	digest *digest // set if [loadedTable] has one
}

func (s *Service) openReadBack(ctx context.Context, schema string, stop context.CancelCauseFunc) (*readBack, error) {
	pooled, err := s.cfg.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	b := &readBack{
		schema: schema, conn: pooled.Hijack(), stop: stop, sums: make(map[string]tableReadBack),
		tables: make(chan tableToRead, 1000), done: make(chan struct{}),
	}
	go b.run(ctx)
	return b, nil
}

// read queues a committed table.
func (b *readBack) read(t tableToRead) {
	select {
	case b.tables <- t:
	case <-b.done: // reading has failed
	}
}

// end announces that no more tables follow.
func (b *readBack) end() { close(b.tables) }

// wait waits until all tables were read, and returns their sums.
func (b *readBack) wait(ctx context.Context) (map[string]tableReadBack, error) {
	<-b.done
	closeConn(ctx, b.conn)
	return b.sums, b.err
}

func (b *readBack) run(ctx context.Context) {
	defer close(b.done)
	for t := range b.tables {
		sum, err := b.table(ctx, t)
		if err != nil {
			b.err = fmt.Errorf("read table %q back: %w", t.Name, err)
			b.stop(b.err)
			return
		}
		b.sums[t.Name] = sum
	}
}

func (b *readBack) table(ctx context.Context, t tableToRead) (sum tableReadBack, err error) {
	sql, err := copySQL(b.schema, t.Table)
	if err != nil {
		return sum, err
	}
	pg := b.conn.PgConn()
	if _, err := pg.Exec(ctx, "begin read only; "+settingsOf(pg)).ReadAll(); err != nil {
		return sum, err
	}
	h := sha256.New()
	var to io.Writer = h
	if t.Partitioned || len(t.excluded) > 0 {
		sum.digest = &digest{skip: 1, excluded: t.excluded} // the first row has the column names
		to = sum.digest
	}
	buffered := bufio.NewWriterSize(to, 64<<10)
	tag, err := pg.CopyTo(ctx, buffered, sql)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil && sum.digest != nil {
		err = sum.digest.end()
	}
	if err == nil {
		_, err = pg.Exec(ctx, "commit").ReadAll()
	}
	sum.rows, sum.sha256 = tag.RowsAffected(), hex.EncodeToString(h.Sum(nil))
	return sum, err
}

// compare returns an error unless both the rows that were sent and the rows that were read back are
// those of the archive. Rows of a partitioned table may be read back in another order, because new
// rows fill free space in the pages of partitions.
func (t loadedTable) compare(want archive.TableSum, have tableReadBack) error {
	switch {
	case t.rows != want.Rows:
		return &ContentError{t.name, fmt.Sprintf("was loaded with %d rows, not %d", t.rows, want.Rows)}
	case have.rows != want.Rows:
		return &ContentError{t.name, fmt.Sprintf("has %d rows, not %d", have.rows, want.Rows)}
	case t.digest != nil && (have.digest == nil || !t.digest.equal(have.digest)):
		return &ContentError{t.name, "has different rows"}
	case t.digest == nil && have.sha256 != want.SHA256:
		return &ContentError{t.name, "has different rows"}
	}
	return nil
}

// digest is a checksum of rows that does not depend on their order: the sum of the SHA-256 of each
// row, modulo 2^256. An attacker who chooses the rows could construct a collision, but has no use
// for one: the digest detects mistakes, and the manifest's checksum detects forgery.
type digest struct {
	skip     int   // number of rows to ignore at the beginning
	excluded []int // indexes of columns to ignore
	sum      [4]uint64
	row      []byte
	quote    bool // whether the row has an odd number of quotes so far
	hash     hash.Hash
}

func (d *digest) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		line := p[:max(end, 0)]
		if end == 0 {
			line = p
		}
		d.row = append(d.row, line...)
		if len(d.row) > maxRecord {
			return 0, errRecord
		}
		d.quote = d.quote != (bytes.Count(line, []byte{'"'})%2 == 1)
		if end > 0 && !d.quote {
			if err := d.add(); err != nil {
				return 0, err
			}
		}
		p = p[len(line):]
	}
	return n, nil
}

// add adds the row to the sum.
func (d *digest) add() error {
	if d.hash == nil {
		d.hash = sha256.New()
	}
	if d.skip > 0 {
		d.skip--
	} else {
		if len(d.excluded) > 0 {
			if err := d.exclude(); err != nil {
				return err
			}
		}
		d.hash.Reset()
		d.hash.Write(d.row)
		sum := d.hash.Sum(nil)
		var carry uint64
		for i := range d.sum {
			d.sum[i], carry = bits.Add64(d.sum[i], binary.LittleEndian.Uint64(sum[8*i:]), carry)
		}
	}
	d.row = d.row[:0]
	return nil
}

// exclude removes the excluded columns from the row and quotes all others uniformly.
func (d *digest) exclude() error {
	values, err := splitRow(d.row)
	if err != nil {
		return err
	}
	d.row = d.row[:0]
	for i, v := range values {
		if !slices.Contains(d.excluded, i) {
			d.row = append(appendField(d.row, v), ',')
		}
	}
	return nil
}

// end returns an error for an incomplete row.
func (d *digest) end() error {
	if len(d.row) > 0 {
		return errNoRow
	}
	return nil
}

func (d *digest) equal(other *digest) bool { return d.sum == other.sum }
