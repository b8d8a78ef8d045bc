package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// surveyLockTimeout is how long a version table may be locked, by a drop say, before it is set
// aside: others wait for the chunk meanwhile.
const surveyLockTimeout = 100 * time.Millisecond

// readTables reads version tables with one SELECT for each, all in one message: one statement with
// a UNION ALL of all tables takes longer to plan. It returns how many were read before an error.
func (s *survey) readTables(
	ctx context.Context,
	conn *pgxpool.Conn,
	members []*member,
	wait time.Duration,
) (int, error) {
	var sql strings.Builder
	sql.WriteString("set transaction isolation level read committed; set local lock_timeout = " + milliseconds(wait))
	for _, m := range members {
		t, err := s.r.target(m.schema)
		if err != nil {
			return 0, err
		}
		sql.WriteString(
			";select id, version_id, is_applied, coalesce((extract(epoch from tstamp) * 1000000)::bigint, 0) from " + t.table,
		)
	}
	tables, err := readResults(ctx, conn.Conn(), sql.String())
	if err == nil && len(tables) != len(members) {
		err = errors.New("version tables: the server returned another number of results than there are statements")
	}
	comments, commentsErr := s.comments(ctx, conn, members[:min(len(members), len(tables))])
	if commentsErr != nil {
		return 0, commentsErr
	}
	for i, table := range tables {
		if err := s.classify(ctx, conn, members[i], table, comments[members[i].table]); err != nil {
			return i, err
		}
	}
	return len(tables), err
}

// versionRows is the content of one version table.
type versionRows struct {
	rows []versionRow
	err  error // the values do not have goose's types
}

// readResults executes statements in one message and returns the rows of those that have rows.
func readResults(ctx context.Context, conn *pgx.Conn, sql string) ([]versionRows, error) {
	var tables []versionRows
	results := conn.PgConn().Exec(ctx, sql)
	for results.NextResult() {
		reader := results.ResultReader()
		if len(reader.FieldDescriptions()) == 0 { // SET
			continue
		}
		var t versionRows
		t.rows, t.err = pgx.CollectRows(pgx.RowsFromResultReader(conn.TypeMap(), reader), scanVersion)
		if _, err := reader.Close(); err != nil {
			break // the error is that of results, too
		}
		tables = append(tables, t)
	}
	return tables, results.Close()
}

func scanVersion(row pgx.CollectableRow) (v versionRow, err error) {
	err = row.Scan(&v.id, &v.version, &v.applied, &v.stamp)
	return v, err
}

// comments returns the comments on the version tables.
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

// tableInfoBatch is how many schemas are read in one query.
const tableInfoBatch = 32

// tableInfo is what the transaction of a schema needs to know about its version table,
// besides the versions.
type tableInfo struct {
	comment string    // on the version table
	granted bool      // a role other than the owner has privileges on it
	stamp   int64     // the server's time in microseconds, as in the table
	read    time.Time // when the stamp was read
}

// now returns the server's time.
func (k *tableInfo) now() int64 { return k.stamp + time.Since(k.read).Microseconds() }

// ready reports whether all pending migrations can be sent in the message that takes the lock.
func (m member) ready() bool {
	return m.batchable() && m.info != nil && m.info.read != time.Time{} && !m.info.granted
}

// tableInfoSQL reads the tableInfo of the version tables with the OIDs $1.
const tableInfoSQL = `select c.oid, coalesce(d.description, ''),
		c.relacl is not null and exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner),
		(extract(epoch from clock_timestamp()::timestamp) * 1000000)::bigint
	from unnest($1::oid[]) as t (oid) join pg_class c on c.oid = t.oid
	left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0`

// readTableInfo sets the info of schemas. read returns the rows of tableInfoSQL, in text, for an
// array of OIDs. A schema whose info could not be read has an empty one: it is migrated by itself,
// and that reports the error.
func readTableInfo(members []member, read func(tables string) ([][][]byte, error)) {
	byTable := make(map[string]*tableInfo, len(members))
	var tables []string
	for i := range members {
		m := &members[i]
		m.info = &tableInfo{}
		if m.batchable() {
			oid := strconv.FormatUint(uint64(m.table), 10)
			byTable[oid] = m.info
			tables = append(tables, oid)
		}
	}
	if len(tables) == 0 {
		return
	}
	rows, err := read("{" + strings.Join(tables, ",") + "}")
	if err != nil {
		return
	}
	now := time.Now()
	for _, row := range rows {
		k := byTable[string(row[0])]
		k.comment, k.granted, k.read = string(row[1]), string(row[2]) == "t", now
		if k.stamp, err = strconv.ParseInt(string(row[3]), 10, 64); err != nil {
			*k = tableInfo{}
		}
	}
}

// queryTableInfo returns a read function for readTableInfo that sends tableInfoSQL through db.
func queryTableInfo(ctx context.Context, db querier) func(tables string) ([][][]byte, error) {
	return func(tables string) ([][][]byte, error) {
		rows, err := db.Query(ctx, tableInfoSQL, pgx.QueryExecModeExec, tables)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var values [][][]byte
		for rows.Next() {
			values = append(values, cloned(rows.RawValues()))
		}
		return values, rows.Err()
	}
}

// noteWith returns the comment of a version table with the checksums of steps added. stamp is the
// time at which they are applied, and has reports whether a version is applied. It returns false if
// another program wrote the comment, which then stays as it is.
func noteWith(comment string, stamp int64, steps []step, has func(int64) bool) (string, bool) {
	n := note{Sums: make(map[int64]map[int64]string)}
	if comment != "" {
		n.Sums = nil
		if err := json.Unmarshal([]byte(comment), &n); err != nil || n.Sums == nil {
			return "", false
		}
	}
	sums := make(map[int64]string)
	for _, st := range steps {
		if st.m.checksum != "" {
			sums[st.m.version] = st.m.checksum[:noteLen]
		}
	}
	n.Sums[stamp] = sums
	return n.text(declared(readCompatible(n.Compatible), steps, has)), true
}
