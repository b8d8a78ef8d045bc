package migrate

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// state is the content of a version table.
type state struct {
	applied    []appliedVersion      // in the order in which they were applied
	sums       map[int64]string      // checksums of the versions that this package has applied
	compatible map[string]compatible // which older programs can work with the schema, by source
	half       *halfDone             // a migration without a transaction that has stopped; nil: none
	now        int64                 // the time of the transaction, as in the table
	absent     bool                  // there is no table, and maybe no schema
	empty      bool                  // the table has no row, not even that of version 0
	exposed    bool                  // roles other than the owner have privileges on the table
	noted      bool                  // the comment on the table is this package's or missing: it may be written
	start      sessionStart          // of the session that has read the table
}

// clone returns a copy that does not change with s.
func (s state) clone() state {
	s.applied = slices.Clone(s.applied)
	s.sums = maps.Clone(s.sums)
	return s
}

// appliedVersion is the latest row of a version.
type appliedVersion struct {
	version int64
	stamp   int64     // tstamp in microseconds, without a time zone
	at      time.Time // the same, in the session's time zone
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

func (s *state) forget(version int64) {
	for i, a := range s.applied {
		if a.version == version {
			s.applied = append(s.applied[:i:i], s.applied[i+1:]...)
			return
		}
	}
}

// did records steps that were done at the time of the state.
func (s *state) did(steps []step) {
	for _, st := range steps {
		s.empty = s.empty && st.dir == Down
		s.forget(st.m.version)
		if s.half != nil && s.half.Version == st.m.version {
			s.half = nil
		}
		delete(s.sums, st.m.version)
		if st.dir == Down {
			continue
		}
		s.applied = append(s.applied, appliedVersion{version: st.m.version, stamp: s.now})
		if st.m.checksum != "" && s.noted {
			s.sums[st.m.version] = st.m.checksum[:noteLen]
		}
	}
	s.compatible = declared(s.compatible, steps, s.has)
}

// stateQuery reads the table. A further row with id 0 has whether other roles have privileges on
// it, the time, and the comment. The columns are read as text.
func (t target) stateQuery() string {
	return `select id, version_id, is_applied, (extract(epoch from tstamp) * 1000000)::bigint,
			(extract(epoch from tstamp::timestamptz) * 1000000)::bigint, null
			from ` + t.table + `
		union all select 0, 0, ` + exposed + `, (extract(epoch from localtimestamp) * 1000000)::bigint, 0,
			coalesce((select description from pg_description
				where objoid = c.oid and classoid = 'pg_class'::regclass and objsubid = 0), '')
			from pg_class c where c.oid = '` + t.table + `'::regclass
		order by 1`
}

// exposed is an SQL condition: roles other than the owner have privileges on the relation.
const exposed = "coalesce(cardinality(c.relacl) > 1, false)"

// versionsQuery reads only the versions and whether other roles have privileges.
func (t target) versionsQuery() string {
	return "select id, version_id, is_applied, (select " + exposed + " from pg_class c where c.oid = '" +
		t.table + "'::regclass) from " +
		t.table + " order by id"
}

// readRows reads the rows of one of the two queries. The latest row of a version counts. goose
// inserts a row of version 0 when it creates the table.
func (s *state) readRows(rows [][][]byte) error {
	var comment string
	s.empty = true
	for _, row := range rows {
		version, err := strconv.ParseInt(string(row[1]), 10, 64)
		if err != nil {
			return err
		}
		yes := string(row[2]) == "t"
		if len(row) == 4 {
			s.exposed = string(row[3]) == "t"
			s.addRow(version, yes, 0, 0)
			continue
		}
		stamp, _ := strconv.ParseInt(string(row[3]), 10, 64) // null in a row that goose did not write
		at, _ := strconv.ParseInt(string(row[4]), 10, 64)
		if row[5] != nil {
			s.exposed, s.now, comment = yes, stamp, string(row[5])
			continue
		}
		s.addRow(version, yes, stamp, at)
	}
	s.readNote(comment)
	return nil
}

func (s *state) addRow(version int64, applied bool, stamp, at int64) {
	s.empty = false
	s.forget(version)
	if version != 0 && applied {
		s.applied = append(s.applied, appliedVersion{version, stamp, time.UnixMicro(at)})
	}
}

// readState returns the content of the schema's version table. Without the table nothing is
// applied. If the schema does not exist, the error is ErrSchemaMissing.
func readState(ctx context.Context, q querier, t target) (state, error) {
	s, err := readTable(ctx, q, t, t.stateQuery())
	if err == nil && s.absent {
		err = checkSchema(ctx, q, t)
	}
	return s, err
}

// readVersions is readState with the versions only. It reads everything if files are compared or if
// versions are unknown. It does not check whether a schema without the table exists: the first
// statement of a migration finds out.
func readVersions(ctx context.Context, q querier, t target) (state, error) {
	if t.cfg.Changed == Refuse {
		return readTable(ctx, q, t, t.stateQuery())
	}
	s, err := readTable(ctx, q, t, t.versionsQuery())
	if err == nil && len(t.checkApplied(s).unknown) > 0 { // the comment says if this program may work with them
		return readTable(ctx, q, t, t.stateQuery())
	}
	return s, err
}

func readTable(ctx context.Context, q querier, t target, query string) (state, error) {
	var s state
	var values [][][]byte
	rows, err := q.Query(ctx, query, pgx.QueryExecModeExec)
	if err == nil {
		for rows.Next() {
			values = append(values, cloned(rows.RawValues()))
		}
		if err = rows.Err(); err == nil {
			err = s.readRows(values)
		}
	}
	switch {
	case sqlstate.Is(err, sqlstate.UndefinedTable, sqlstate.InvalidSchemaName):
		return noTable(), nil
	case err != nil:
		return state{}, t.tableError(err)
	}
	return s, nil
}

// noTable returns the state of a schema without a version table.
func noTable() state {
	return state{absent: true, empty: true, noted: true, sums: make(map[int64]string)}
}

// cloned returns a copy of a row, whose buffer belongs to the connection.
func cloned(row [][]byte) [][]byte {
	values := make([][]byte, len(row))
	for i, v := range row {
		values[i] = bytes.Clone(v)
	}
	return values
}

// tableError returns the error of a statement that uses the version table.
func (t target) tableError(err error) error {
	if sqlstate.Is(err, sqlstate.UndefinedColumn, sqlstate.UndefinedFunction, sqlstate.DatatypeMismatch,
		sqlstate.CannotCoerce, sqlstate.WrongObjectType) {
		return &TableError{Schema: t.schema, Table: t.cfg.Table, Err: err}
	}
	return fmt.Errorf("versions of schema %q: %w", t.schema, err)
}
