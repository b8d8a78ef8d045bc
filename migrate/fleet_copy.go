package migrate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// surveyLockTimeout is how long a version table may be locked, by a drop say, before it is set aside:
// others wait for the chunk meanwhile.
const surveyLockTimeout = 100 * time.Millisecond

// copyAll reads version tables with one COPY for each, all in one message, as no planner is involved: a UNION ALL
// takes four times as long. In the binary format each table has a beginning, an end and values of a length, so
// that no content can be taken for another table's. It returns how many were read before an error.
func (s *survey) copyAll(ctx context.Context, conn *pgxpool.Conn, members []*member, wait time.Duration) (int, error) {
	var sql strings.Builder
	sql.WriteString("set transaction isolation level read committed; set local lock_timeout = " + milliseconds(wait))
	for _, m := range members {
		t, err := s.r.target(m.schema)
		if err != nil {
			return 0, err
		}
		sql.WriteString(";copy " + t.table + " (id, version_id, is_applied, tstamp) to stdout (format binary)")
	}
	tables := &copiedTables{}
	_, err := conn.Conn().PgConn().CopyTo(ctx, tables, sql.String())
	if err == nil {
		err = tables.err
	}
	if err == nil && len(tables.done) != len(members) {
		err = errors.New("version tables are not what was asked for")
	}
	comments, commentsErr := s.comments(ctx, conn, members[:min(len(members), len(tables.done))])
	if commentsErr != nil {
		return 0, commentsErr
	}
	for i, table := range tables.done {
		if err := s.judge(ctx, conn, members[i], table, comments[members[i].table]); err != nil {
			return i, err
		}
	}
	return len(tables.done), err
}

// comments returns what the version tables' comments say.
func (s *survey) comments(ctx context.Context, conn *pgxpool.Conn, members []*member) (map[uint32]string, error) {
	if len(members) == 0 {
		return nil, nil
	}
	tables := make([]uint32, len(members))
	for i, m := range members {
		tables[i] = m.table
	}
	rows, err := conn.Query(ctx, `select objoid, description from pg_description
		where objoid = any ($1::oid[]) and classoid = 'pg_class'::regclass and objsubid = 0`, pgx.QueryExecModeExec, tables)
	if err != nil {
		return nil, err
	}
	comments := make(map[uint32]string, len(members))
	var table uint32
	var comment string
	_, err = pgx.ForEachRow(rows, []any{&table, &comment}, func() error {
		comments[table] = comment
		return nil
	})
	return comments, err
}

// copiedTable is what one COPY has sent.
type copiedTable struct {
	rows []versionRow
	odd  bool // the values do not have goose's types
}

// copiedTables takes the output of several COPY in a row, message by message.
type copiedTables struct {
	done   []copiedTable
	now    copiedTable
	inside bool
	err    error
}

var copySignature = []byte("PGCOPY\n\xff\r\n\x00")

// errCopyFormat is what the server never does.
var errCopyFormat = errors.New("the server's COPY is not in the binary format")

// Write keeps its error: one that it returned would cost the connection.
func (c *copiedTables) Write(message []byte) (int, error) {
	n := len(message)
	for len(message) > 0 && c.err == nil {
		message, c.err = c.take(message)
	}
	return n, nil
}

// take takes a table's head, a row or a table's end off a message.
func (c *copiedTables) take(b []byte) ([]byte, error) {
	if !c.inside {
		const head = 19 // the signature, flags, and the length of an extension that no version has
		if len(b) < head || !bytes.HasPrefix(b, copySignature) || binary.BigEndian.Uint32(b[15:]) != 0 {
			return nil, errCopyFormat
		}
		c.inside = true
		return b[head:], nil
	}
	if len(b) < 2 {
		return nil, errCopyFormat
	}
	fields := int16(binary.BigEndian.Uint16(b)) //nolint:gosec // -1 is the end
	if b = b[2:]; fields == -1 {
		c.done = append(c.done, c.now)
		c.now, c.inside = copiedTable{}, false
		return b, nil
	}
	if fields != 4 {
		return nil, errCopyFormat
	}
	var values [4][]byte
	for i := range values {
		if len(b) < 4 {
			return nil, errCopyFormat
		}
		size := int(int32(binary.BigEndian.Uint32(b))) //nolint:gosec // -1 is null
		if b = b[4:]; size > len(b) {
			return nil, errCopyFormat
		}
		if size >= 0 {
			values[i], b = b[:size], b[size:]
		}
	}
	c.now.add(values)
	return b, nil
}

func (t *copiedTable) add(values [4][]byte) {
	var row versionRow
	var ok [2]bool
	row.id, ok[0] = integer(values[0])
	row.version, ok[1] = integer(values[1])
	row.applied = len(values[2]) == 1 && values[2][0] == 1
	if !ok[0] || !ok[1] || len(values[2]) != 1 || values[3] != nil && len(values[3]) != 8 {
		t.odd = true
		return
	}
	if stamp, ok := integer(values[3]); ok {
		row.stamp = stamp + stampZero
	}
	t.rows = append(t.rows, row)
}

// stampZero is where the server begins to count the microseconds of a timestamp: in the year 2000.
const stampZero = 946_684_800_000_000

func integer(b []byte) (int64, bool) {
	switch len(b) {
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b))), true //nolint:gosec // as it is sent
	case 8:
		return int64(binary.BigEndian.Uint64(b)), true //nolint:gosec // as it is sent
	}
	return 0, false
}
