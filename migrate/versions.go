package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// target is a schema with what it needs to be migrated.
type target struct {
	schema string
	path   string // its search path
	table  string // its version table, qualified and quoted
	kind   Set
	set    set
	cfg    Config
}

func (r *Runner) target(schema string) (target, error) {
	t := target{schema: schema, kind: TenantSet, set: r.tenant, cfg: r.cfg}
	if schema == schemactx.Public {
		t.kind, t.set = SharedSet, r.shared
	} else if err := schemactx.ValidateName(schema); err != nil {
		return t, err
	}
	quoted, err := schemactx.QuoteName(schema)
	if err != nil {
		return t, err
	}
	t.path = quoted + ", pg_temp"
	t.table, err = schemactx.QuoteName(schema, r.cfg.Table)
	return t, err
}

// state is what a version table says.
type state struct {
	applied []appliedVersion // in the order in which they were applied
	sums    map[int64]string // checksums of those that this package applied
	now     int64            // the transaction's time, as in the table
	noted   bool             // the table's comment is ours, or there is none: it may be written
}

// appliedVersion is the latest row of a version.
type appliedVersion struct {
	version int64
	stamp   int64     // tstamp in microseconds, without a time zone
	at      time.Time // the same, in the session's zone
}

func (s state) has(version int64) bool {
	for _, a := range s.applied {
		if a.version == version {
			return true
		}
	}
	return false
}

func (s state) newest() int64 {
	var version int64
	for _, a := range s.applied {
		version = max(version, a.version)
	}
	return version
}

// stateQuery reads the table and, in a last row, its comment and the time. All columns come as text.
func (t target) stateQuery() string {
	return `select version_id, is_applied, stamp, at, note from (
		select id, version_id, is_applied, (extract(epoch from tstamp) * 1000000)::bigint as stamp,
			(extract(epoch from tstamp::timestamptz) * 1000000)::bigint as at, null as note
			from ` + t.table + `
		union all select null, 0, true, (extract(epoch from localtimestamp) * 1000000)::bigint, 0,
			coalesce((select description from pg_description
				where objoid = '` + t.table + `'::regclass and classoid = 'pg_class'::regclass and objsubid = 0), '')
	) rows order by id nulls last`
}

// read enters a row of the state query: the latest row of a version counts. The row of
// version 0 is goose's way to say that the table is there.
func (s *state) read(row [][]byte) error {
	version, err := strconv.ParseInt(string(row[0]), 10, 64)
	if err != nil {
		return err
	}
	stamp, _ := strconv.ParseInt(string(row[2]), 10, 64) // null in a row that goose did not write
	at, _ := strconv.ParseInt(string(row[3]), 10, 64)
	if row[4] != nil {
		s.now = stamp
		s.sums, s.noted = s.readNote(string(row[4]))
		return nil
	}
	s.forget(version)
	if version != 0 && string(row[1]) == "t" {
		s.applied = append(s.applied, appliedVersion{version, stamp, time.UnixMicro(at)})
	}
	return nil
}

func (s *state) forget(version int64) {
	for i, a := range s.applied {
		if a.version == version {
			s.applied = append(s.applied[:i:i], s.applied[i+1:]...)
			return
		}
	}
}

// did enters steps that were done, at the time of the state.
func (s *state) did(steps []step) {
	for _, st := range steps {
		s.forget(st.m.version)
		delete(s.sums, st.m.version)
		if st.dir == Down {
			continue
		}
		s.applied = append(s.applied, appliedVersion{version: st.m.version, stamp: s.now})
		if st.m.checksum != "" && s.noted {
			s.sums[st.m.version] = st.m.checksum[:noteLen]
		}
	}
}

// querier is a pool or a connection.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readState returns what the schema's version table says. A schema without the table has nothing
// applied; one that does not exist is ErrSchemaMissing.
func readState(ctx context.Context, q querier, t target) (state, error) {
	var s state
	rows, err := q.Query(ctx, t.stateQuery(), pgx.QueryExecModeExec)
	if err == nil {
		for err == nil && rows.Next() {
			err = s.read(rows.RawValues())
		}
		rows.Close()
		err = errors.Join(err, rows.Err())
	}
	switch {
	case stateIs(err, undefinedTable, invalidSchemaName):
		return state{noted: true, sums: make(map[int64]string)}, checkSchema(ctx, q, t)
	case err != nil:
		return state{}, t.tableError(err)
	}
	return s, nil
}

// tableError is the error of a statement that uses the version table.
func (t target) tableError(err error) error {
	if stateIs(err, undefinedColumn, undefinedFunction, datatypeMismatch, cannotCoerce, wrongObjectType) {
		return &TableError{Schema: t.schema, Table: t.cfg.Table, Err: err}
	}
	return fmt.Errorf("versions of schema %q: %w", t.schema, err)
}

func checkSchema(ctx context.Context, q querier, t target) error {
	var exists bool
	err := q.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", pgx.QueryExecModeExec, t.schema).Scan(&exists)
	switch {
	case err != nil:
		return fmt.Errorf("versions of schema %q: %w", t.schema, err)
	case !exists:
		return fmt.Errorf("migrate schema %q: %w", t.schema, ErrSchemaMissing)
	}
	return nil
}

// The SQLSTATEs that this package acts on.
const (
	undefinedTable    = "42P01"
	duplicateTable    = "42P07"
	undefinedColumn   = "42703"
	undefinedFunction = "42883"
	datatypeMismatch  = "42804"
	cannotCoerce      = "42846"
	wrongObjectType   = "42809"
	invalidSchemaName = "3F000"
	uniqueViolation   = "23505"
	invalidSavepoint  = "3B001"
	lockNotAvailable  = "55P03"
	deadlockDetected  = "40P01"
)

func stateIs(err error, states ...string) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	for _, state := range states {
		if pgErr.Code == state {
			return true
		}
	}
	return false
}
