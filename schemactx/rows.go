package schemactx

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows are the rows of one result. They behave like those of [pgx.Conn.Query]. After they are
// closed, they refer neither to the connection nor to anything read from it.
type rows struct {
	typeMap *pgtype.Map
	loaded  *schemaTypes // the types in typeMap; nil for none
	rr      *pgconn.ResultReader
	mrr     *pgconn.MultiResultReader // that rr belongs to, after statement.sendWithPrologue; else nil
	owner   rowsOwner
	mu      *sync.Mutex // the transaction's: another goroutine may end it; nil outside of one
	ahead   bool        // a row was read that Next has not returned
	read    bool        // a row has been scanned
	closed  bool
	tag     pgconn.CommandTag
	err     error
	plans   []pgtype.ScanPlan
	types   []reflect.Type
}

// rowsOwner is told when rows are closed, with the server's response. It returns the error that the
// rows end with.
type rowsOwner interface {
	rowsClosed(tag pgconn.CommandTag, err error) error
	rowsAbandoned() // called instead if the caller's code panicked: the unit of work is abandoned
}

var _ pgx.Rows = (*rows)(nil)

// readAhead reads the first row, so that an error of the statement is found before a row is
// returned.
func (r *rows) readAhead() error {
	if r.ahead = r.rr.NextRow(); r.ahead {
		return nil
	}
	_, err := r.rr.Close() // may be called again
	return err
}

func (r *rows) lock() {
	if r.mu != nil {
		r.mu.Lock()
	}
}

func (r *rows) unlock() {
	if r.mu != nil {
		r.mu.Unlock()
	}
}

// leave is deferred where the caller's code may run. It unlocks, and abandons the unit of work
// unless *done is true. See [unitOfWork.abandonUnless].
func (r *rows) leave(done *bool) {
	defer r.unlock()
	if !*done {
		r.giveUp()
	}
}

// errAbandoned is the error of rows and batches in which the caller's code has panicked.
var errAbandoned = errors.New("given up after a panic, in a hook, a tracer, a callback or a destination")

func (r *rows) giveUp() {
	r.closed, r.err = true, errAbandoned
	r.rr, r.plans, r.types = nil, nil, nil
	r.owner.rowsAbandoned()
}

// Close implements [pgx.Rows].
func (r *rows) Close() { r.closeFor(nil) }

func (r *rows) closeFor(err error) {
	done := false
	r.lock()
	defer r.leave(&done)
	r.close(err)
	done = true
}

// close ends the rows. err is the reason, if it is not the server's error.
func (r *rows) close(err error) {
	if r.closed {
		return
	}
	r.closed = true
	var serverErr error
	if r.tag, serverErr = r.rr.Close(); err == nil {
		err = serverErr
	}
	r.rr, r.plans, r.types = nil, nil, nil
	if ownerErr := r.owner.rowsClosed(r.tag, serverErr); ownerErr != nil && (err == nil || errors.Is(ownerErr, err)) {
		err = ownerErr
	}
	r.err = err
}

// Err implements [pgx.Rows].
func (r *rows) Err() error { return r.err }

// CommandTag implements [pgx.Rows].
func (r *rows) CommandTag() pgconn.CommandTag { return r.tag }

// FieldDescriptions implements [pgx.Rows].
func (r *rows) FieldDescriptions() []pgconn.FieldDescription {
	r.lock()
	defer r.unlock()
	if r.closed {
		return nil
	}
	return r.rr.FieldDescriptions()
}

// Next implements [pgx.Rows].
func (r *rows) Next() bool {
	done := false
	r.lock()
	defer r.leave(&done)
	more := r.next()
	done = true
	return more
}

func (r *rows) next() bool {
	switch {
	case r.closed:
		return false
	case r.ahead:
		r.ahead = false
		return true
	case r.rr.NextRow():
		return true
	}
	r.close(nil)
	return false
}

// errRowsClosed is returned by reads from closed rows.
var errRowsClosed = errors.New("rows is closed")

// Scan implements [pgx.Rows].
func (r *rows) Scan(dest ...any) error {
	if len(dest) == 1 {
		if scanner, ok := dest[0].(pgx.RowScanner); ok {
			return r.scanRow(scanner)
		}
	}
	done := false
	r.lock()
	defer r.leave(&done)
	err := errRowsClosed
	if !r.closed {
		if err = r.scan(dest); err != nil {
			r.loaded.markStale()
			r.close(err)
		}
	}
	done = true
	return err
}

// scanRow calls the scanner without the lock, because it reads the row with the methods of r, which
// lock.
func (r *rows) scanRow(scanner pgx.RowScanner) error {
	done := false
	defer func() {
		if !done {
			r.lock()
			r.leave(&done)
		}
	}()
	err := scanner.ScanRow(r)
	done = true
	if err != nil {
		r.closeFor(err)
	}
	return err
}

func (r *rows) scan(dest []any) error {
	fields, values := r.rr.FieldDescriptions(), r.rr.Values()
	switch {
	case len(fields) != len(values):
		return fmt.Errorf("number of field descriptions must equal number of values, got %d and %d", len(fields), len(values))
	case len(fields) != len(dest):
		return fmt.Errorf(
			"number of field descriptions must equal number of destinations, got %d and %d",
			len(fields),
			len(dest),
		)
	case !r.read: // most results have one row, for which plans do not pay
		r.read = true
		return r.scanOnce(fields, values, dest)
	case r.plans == nil:
		r.plans, r.types = make([]pgtype.ScanPlan, len(dest)), make([]reflect.Type, len(dest))
	}
	for i, d := range dest {
		if d == nil {
			continue
		}
		if t := reflect.TypeOf(d); r.types[i] != t {
			r.types[i], r.plans[i] = t, r.typeMap.PlanScan(fields[i].DataTypeOID, fields[i].Format, d)
		}
		if err := r.plans[i].Scan(values[i], d); err != nil {
			return pgx.ScanArgError{ColumnIndex: i, FieldName: fields[i].Name, Err: err}
		}
	}
	return nil
}

func (r *rows) scanOnce(fields []pgconn.FieldDescription, values [][]byte, dest []any) error {
	for i, d := range dest {
		if d == nil {
			continue
		}
		if err := r.typeMap.Scan(fields[i].DataTypeOID, fields[i].Format, values[i], d); err != nil {
			return pgx.ScanArgError{ColumnIndex: i, FieldName: fields[i].Name, Err: err}
		}
	}
	return nil
}

// Values implements [pgx.Rows].
func (r *rows) Values() ([]any, error) {
	done := false
	r.lock()
	defer r.leave(&done)
	values, err := r.values()
	done = true
	return values, err
}

func (r *rows) values() ([]any, error) {
	if r.closed {
		return nil, errRowsClosed
	}
	fields, raw := r.rr.FieldDescriptions(), r.rr.Values()
	values := make([]any, len(fields))
	for i := range fields {
		var err error
		if values[i], err = value(r.typeMap, &fields[i], raw[i]); err != nil {
			r.loaded.markStale()
			r.close(err)
			return nil, err
		}
	}
	return values, nil
}

// value decodes one column as pgx does. The value of an unknown type is a string, or bytes in
// binary format.
func value(m *pgtype.Map, field *pgconn.FieldDescription, raw []byte) (any, error) {
	if raw == nil {
		return nil, nil
	}
	if t, ok := m.TypeForOID(field.DataTypeOID); ok {
		return t.Codec.DecodeValue(m, field.DataTypeOID, field.Format, raw)
	}
	switch field.Format {
	case pgx.TextFormatCode:
		return string(raw), nil
	case pgx.BinaryFormatCode:
		return append([]byte(nil), raw...), nil
	default:
		return nil, fmt.Errorf("unknown format code %d of column %q", field.Format, field.Name)
	}
}

// RawValues implements [pgx.Rows].
func (r *rows) RawValues() [][]byte {
	r.lock()
	defer r.unlock()
	if r.closed {
		return nil
	}
	return r.rr.Values()
}

// Conn implements [pgx.Rows]. It returns nil, because a connection must not be used outside of its
// scope.
func (r *rows) Conn() *pgx.Conn { return nil }

// TypeMap implements [pgx.Rows].
func (r *rows) TypeMap() *pgtype.Map { return r.typeMap }

// firstRow is the [pgx.Row] of a statement.
type firstRow statement

// Scan implements [pgx.Row].
func (fr *firstRow) Scan(dest ...any) error {
	r := &(*statement)(fr).rows
	defer r.Close()
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errors.New("cannot scan into *pgtype.DriverBytes from QueryRow")
		}
	}
	return scanFirst(r, dest)
}

// scanFirst scans the first row and closes the rows.
func scanFirst(r pgx.Rows, dest []any) error {
	if !r.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.Scan(dest...); err != nil {
		return err
	}
	r.Close()
	return r.Err()
}

// failedRows is the result of a query that never ran: an error and no rows. It is a [pgx.Row] as
// well.
type failedRows struct{ err error }

var _ pgx.Rows = failedRows{}

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }
