package migrate

import (
	"context"
	"errors"
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
