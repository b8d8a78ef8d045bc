package schemactx

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// CopyFrom writes rows into a table of the schema of ctx with PostgreSQL's COPY, in its own
// transaction, and returns their number. It costs two round trips. The first one asks for the
// columns, because their types may have changed since the last copy. See [pgx.Conn.CopyFrom].
// Unlike there, strings can be copied into columns of types that pgx does not know, such as an enum
// of the schema.
//
// After CopyFrom has returned, it takes no further row and no further value from src. If ctx has
// ended or the connection is lost, one call of src.Next may still be running.
func (db *DB) CopyFrom(
	ctx context.Context,
	table pgx.Identifier,
	columns []string,
	src pgx.CopyFromSource,
) (int64, error) {
	c := &copyFrom{table: table, columns: columns, src: src}
	c.unitOfWork = &c.alone
	if err := c.open(ctx, db); err != nil {
		return 0, err
	}
	return c.run(ctx)
}

// CopyFrom writes rows into a table in the transaction. See [DB.CopyFrom].
func (tx *Tx) CopyFrom(
	ctx context.Context,
	table pgx.Identifier,
	columns []string,
	src pgx.CopyFromSource,
) (int64, error) {
	st := tx.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := tx.check(ctx); err != nil {
		return 0, err
	}
	return (&copyFrom{unitOfWork: &st.unit, tx: st, table: table, columns: columns, src: src}).run(ctx)
}

// copyFrom is one COPY FROM STDIN.
type copyFrom struct {
	*unitOfWork
	alone   unitOfWork // the target of unitOfWork outside of a transaction
	tx      *txState
	table   pgx.Identifier
	columns []string
	src     pgx.CopyFromSource
}

func (c *copyFrom) run(ctx context.Context) (int64, error) {
	done := false
	defer c.abandonUnless(&done)
	if t := c.db.tracers.copyFrom; t != nil {
		ctx = t.TraceCopyFromStart(ctx, c.conn, pgx.TraceCopyFromStartData{TableName: c.table, ColumnNames: c.columns})
	}
	tag, err := c.copy(ctx)
	if err != nil {
		c.db.statementFailure(ctx, c.scope.schema, "", err)
	}
	c.db.statementEnd(ctx, c.scope.schema, 1, err)
	if c.tx != nil {
		err = c.tx.after(c.kind(), err)
	}
	if t := c.db.tracers.copyFrom; t != nil {
		t.TraceCopyFromEnd(ctx, c.conn, pgx.TraceCopyFromEndData{CommandTag: tag, Err: err})
	}
	if c.tx == nil {
		c.release()
	}
	done = true
	return tag.RowsAffected(), err
}

func (c *copyFrom) copy(ctx context.Context) (pgconn.CommandTag, error) {
	table, columns, err := c.quoted()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	sd, err := c.describeColumns(ctx, "select "+columns+" from "+table)
	if err != nil {
		return pgconn.CommandTag{}, fmt.Errorf("describe columns: %w", err)
	}
	types, err := c.typesFor(ctx, c.tx, sd)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	if c.tx != nil && c.tx.suspect {
		// The assertion is sent alone. Before the COPY, its error could not be told from the copy's.
		if err := c.enter(ctx); err != nil {
			return pgconn.CommandTag{}, err
		}
	}
	c.needFacts(c.tx, c.schemas())
	if err := c.readCatalogAhead(ctx, c.tx); err != nil {
		return pgconn.CommandTag{}, err
	}
	kind := c.kind()
	// COPY uses the simple query protocol, so the prologue does too. Both are in one string, and the
	// string is one implicit transaction.
	prologue := c.prologue(c.tx, false)
	before := c.text(prologue.simple())
	command := before + "copy " + table + " (" + columns + ") from stdin binary"
	stoppable, stop := context.WithCancel(ctx)
	defer stop()
	r := &copyReader{src: c.src, fields: sd.Fields, types: c.mapFor(types), buf: []byte(copyHeader), stop: stop}
	tag, err := c.conn.PgConn().CopyFrom(stoppable, r, command)
	r.end()
	r.reraise()
	c.adjustPosition(err, len(before))
	c.noteKind(c.kind())
	if c.tx != nil {
		c.tx.begun = c.tx.begun || c.status() != 'I'
	}
	if err == nil || !c.mayBeOf(prologue, err) {
		_ = prologue.read(c.unitOfWork, c.tx, func() ([][][]byte, error) { return nil, nil })
	} else {
		err = c.findCause(ctx, err)
	}
	if err != nil && c.usesTypes(sd) { // stale types may have made encoding fail
		types.markStale()
	}
	if c.tx == nil {
		c.noteEnd()
		if err == nil && c.needsReset(kind) {
			c.resetAlone(ctx)
		}
	}
	if c.pathChanged() {
		err = fmt.Errorf("%w: %s", ErrScopeChanged, tag)
		c.destroy()
	}
	return tag, err
}

// describeColumns asks the server for the types of the columns. The answer is not cached: the
// server does not compare it with what COPY sends. It would accept the bytes of a column's former
// type as a value of another type of the same length.
func (c *copyFrom) describeColumns(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	t := c.db.tracers.prepare
	if t != nil {
		ctx = t.TracePrepareStart(ctx, c.conn, pgx.TracePrepareStartData{SQL: sql})
	}
	sd, err := c.describe(ctx, c.tx, sql)
	c.adjustPosition(err, len(c.scope.comment))
	if t != nil {
		t.TracePrepareEnd(ctx, c.conn, pgx.TracePrepareEndData{Err: err})
	}
	return sd, err
}

// enter sends the prologue without the copy.
func (c *copyFrom) enter(ctx context.Context) error {
	_, err := c.describe(ctx, c.tx, "select") // describing it runs nothing
	return err
}

// mayBeOf reports whether a server error may come from the scope or the settings in the prologue. A
// violated constraint (class 23) and a source that failed (57014) do not.
func (c *copyFrom) mayBeOf(prologue prologue, err error) bool {
	var pgErr *pgconn.PgError
	return prologue.has(stepScope) && errors.As(err, &pgErr) && !c.conn.IsClosed() &&
		!strings.HasPrefix(pgErr.Code, "23") && !strings.HasPrefix(pgErr.Code, "57")
}

// findCause returns the prologue's error if the prologue has failed, and err, the copy's own error,
// if not. The simple query protocol does not tell which of several statements failed. So findCause
// sends the prologue once more, alone, which costs one round trip after errors only. In a
// transaction, which had just begun, findCause first begins it again and afterwards puts it back
// into the failed state.
func (c *copyFrom) findCause(ctx context.Context, err error) error {
	if c.tx != nil {
		if c.rollback(ctx) != nil {
			return err
		}
		c.tx.begun = false
	} else if c.settingsNeedBlock() {
		if refused := c.trySettings(ctx); refused != nil {
			return refused
		}
	}
	if refused := c.enter(ctx); refused != nil {
		return refused
	}
	if c.tx != nil {
		// This savepoint does not exist, so the command fails on purpose and the transaction is failed
		// again. If the transaction did not fail, the connection is closed.
		_, _ = c.conn.PgConn().Exec(ctx, "rollback to savepoint pgtenant_0").ReadAll()
		if c.status() != 'E' {
			c.destroy()
		}
	}
	return err
}

// schemas returns the schema in the table's name, if it has one.
func (c *copyFrom) schemas() []string { return c.table[:max(0, len(c.table)-1)] }

// kind returns the kind of a write into the table.
func (c *copyFrom) kind() sqlKind { return c.effectiveKind(kindWrite, c.schemas()) }

// resetAlone resets what triggers may have set for the session, after the end of COPY's own
// transaction. The rows are committed, so a failure here is no error of the copy; the connection is
// closed instead.
func (u *unitOfWork) resetAlone(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if _, err := u.conn.PgConn().Exec(ctx, strings.Join(u.resets(), "; ")).ReadAll(); err != nil {
		u.destroy()
	}
}

func (c *copyFrom) quoted() (table, columns string, err error) {
	if table, err = QuoteName(c.table...); err != nil {
		return "", "", err
	}
	names := make([]string, len(c.columns))
	for i, name := range c.columns {
		if names[i], err = QuoteName(name); err != nil {
			return "", "", err
		}
	}
	return table, strings.Join(names, ", "), nil
}

// simple returns the prologue as SQL without parameters, to which a statement can be appended.
func (f prologue) simple() string {
	var sb strings.Builder
	for _, o := range f {
		var values []string
		for i := len(o.params); i > 0; i-- { // from the last, because $1 is a prefix of $10
			values = append(values, fmt.Sprintf("$%d", i), quoteValue(string(o.params[i-1])))
		}
		sb.WriteString(strings.NewReplacer(values...).Replace(o.sql) + "; ") // one pass: a value may contain $1
	}
	return sb.String()
}

// copyHeader is the header of COPY's binary format: signature, flags, length of the extension.
const copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copyReader encodes rows in COPY's binary format as they are read.
type copyReader struct {
	src    pgx.CopyFromSource
	fields []pgconn.FieldDescription
	types  *pgtype.Map
	buf    []byte // encoded but not read yet
	done   bool

	reading sync.Mutex // held while a row is taken from src and encoded
	over    bool       // no more rows are taken

	stop  func()                   // ends the copy from another goroutine
	broke atomic.Pointer[breakOff] // set if the caller's code panicked or called Goexit
}

// breakOff records how the caller's code ended the goroutine. panicked is nil for [runtime.Goexit].
type breakOff struct{ panicked any }

// errPanicked is the reason that the server gets for the end of the copy.
var errPanicked = errors.New("the source of the rows panicked")

// Read implements [io.Reader]. pgconn calls it on its own goroutine, where a panic would end the
// program and Goexit would leave the copy waiting. Read records both for reraise.
func (r *copyReader) Read(p []byte) (n int, err error) {
	done := false
	defer func() {
		if done {
			return
		}
		err = errPanicked
		r.broke.Store(&breakOff{recover()})
		if r.broke.Load().panicked == nil {
			r.stop() // this goroutine ends, and pgconn would wait for its result
		}
	}()
	n, err = r.read(p)
	done = true
	return n, err
}

// reraise repeats the panic or Goexit of the caller's code on the caller's goroutine.
func (r *copyReader) reraise() {
	switch b := r.broke.Load(); {
	case b == nil:
	case b.panicked == nil:
		runtime.Goexit()
	default:
		panic(b.panicked)
	}
}

func (r *copyReader) read(p []byte) (int, error) {
	for len(r.buf) < len(p) && !r.done {
		if !r.src.Next() {
			r.done = true
			if err := r.src.Err(); err != nil {
				return 0, err
			}
			break
		}
		if err := r.row(); err != nil {
			return 0, err
		}
	}
	if len(r.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.buf)
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
	return n, nil
}

// errCopyOver ends the goroutine that reads rows after the copy has ended.
var errCopyOver = errors.New("the copy has ended")

// end waits until the current row has been taken and prevents that another one is. If the
// connection is lost or ctx ends, pgconn returns while its goroutine goes on reading. That
// goroutine may be in src.Next, which can take any time, so end does not wait for it.
func (r *copyReader) end() {
	r.reading.Lock()
	defer r.reading.Unlock()
	r.over = true
}

func (r *copyReader) row() error {
	r.reading.Lock()
	defer r.reading.Unlock()
	if r.over {
		return errCopyOver
	}
	values, err := r.src.Values()
	if err != nil {
		return err
	}
	if len(values) != len(r.fields) {
		return fmt.Errorf("expected %d values, got %d values", len(r.fields), len(values))
	}
	r.buf = binary.BigEndian.AppendUint16(r.buf, uint16(len(values)))
	for i, v := range values {
		if err := r.value(r.fields[i].DataTypeOID, v); err != nil {
			return fmt.Errorf("column %q: %w", r.fields[i].Name, err)
		}
	}
	return nil
}

// value appends the length and the bytes of one value. NULL is the length -1 without bytes.
func (r *copyReader) value(oid uint32, v any) error {
	at := len(r.buf)
	r.buf = binary.BigEndian.AppendUint32(r.buf, 0xFFFFFFFF)
	encoded, err := r.encode(oid, v, r.buf)
	if err != nil || encoded == nil {
		return err
	}
	r.buf = encoded
	binary.BigEndian.PutUint32(r.buf[at:], uint32(len(r.buf)-at-4))
	return nil
}

func (r *copyReader) encode(oid uint32, v any, buf []byte) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	encoded, err := r.types.Encode(oid, pgtype.BinaryFormatCode, v, buf)
	if err == nil {
		return encoded, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, err
	}
	t, known := r.types.TypeForOID(oid)
	if !known {
		return append(buf, s...), nil // a type whose binary format is its text, such as an enum
	}
	parsed, parseErr := t.Codec.DecodeValue(r.types, oid, pgtype.TextFormatCode, []byte(s))
	if parseErr != nil {
		return nil, err
	}
	return r.types.Encode(oid, pgtype.BinaryFormatCode, parsed, buf)
}
