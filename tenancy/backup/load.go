package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// rowSource is where a load takes its rows from.
type rowSource interface {
	// next returns the next table and its CSV, or io.EOF when all of them were whole.
	next(ctx context.Context) (archive.Table, io.Reader, error)

	// sum returns what the table's CSV was, when next has returned io.EOF.
	sum(table string) (archive.TableSum, bool)

	// hidden returns the places of the columns whose values nobody knows beforehand: the server may write them in another way.
	hidden(table string) []int

	// loaded ends what the rows were taken from: nothing is read any more. It may be called without.
	loaded(ctx context.Context)
}

// loader fills a schema that migrations have just made and that nobody uses. Nothing of what it is given to load
// becomes SQL: tables, columns and sequences are those of the catalogue, with which the archive's are compared.
//
// It needs only the privileges of the tables' owner. It disables triggers one by one. It drops
// foreign keys, and checks that could refuse rows while others are missing, and makes them again
// when all rows are there: session_replication_role, which would switch triggers and foreign keys
// off, needs a superuser.
type loader struct {
	s        *Service
	conn     *pgx.Conn
	schema   string
	path     string
	catalog  *catalog
	oids     []uint32 // of tables and partitions
	deferred []deferredSQL
	restore  restoreRun

	checks            []check      // that were dropped, in this order
	checkStatesBefore []checkState // of these, in all tables
	notValid          []string     // checks that were valid and are left NOT VALID

	warnings []Warning
}

// wishSQL is SQL of ours, with what it is about.
type deferredSQL struct {
	table, object, sql string
}

// closeTimeout bounds the end of a connection.
const closeTimeout = 5 * time.Second

// openLoader takes a connection that leaves the pool, as its settings are its own, and reads what the migrations have made.
func (s *Service) openLoader(ctx context.Context, schema string, about restoreRun) (*loader, error) {
	path, err := s.cfg.Migrations.SearchPath(schema)
	if err != nil {
		return nil, err
	}
	pooled, err := s.cfg.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	l := &loader{s: s, conn: pooled.Hijack(), schema: schema, path: path, restore: about}
	if err := l.read(ctx); err != nil {
		l.close(ctx)
		return nil, err
	}
	return l, nil
}

func (l *loader) close(ctx context.Context) { closeConn(ctx, l.conn) }

func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // gone in any case
}

// read reads what the schema has, for the first time or anew.
func (l *loader) read(ctx context.Context) error {
	l.catalog, l.oids = &catalog{schema: l.schema, versions: l.s.cfg.Migrations.Config().Table}, nil
	return l.transact(ctx, func(tx pgx.Tx) error {
		var h archive.Header
		if err := l.catalog.readSnapshotInfo(ctx, tx, &h); err != nil {
			return err
		}
		if err := l.catalog.read(ctx, tx); err != nil {
			return err
		}
		for _, r := range l.catalog.relations {
			if (r.kind == "r" || r.kind == "p") && r.name != l.catalog.versions {
				l.oids = append(l.oids, r.oid)
			}
		}
		return l.catalog.unsupported()
	})
}

// transact is a transaction with the settings that make values the same everywhere.
func (l *loader) transact(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settingsOf(tx.Conn().PgConn()), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		return fn(tx)
	})
}

// name returns the quoted name of one of the schema's own relations.
func (l *loader) name(relation string) (string, error) {
	return schemactx.QuoteName(l.schema, relation)
}

// load fills the tables from src, reads them back behind that, and compares.
func (l *loader) load(ctx context.Context, src rowSource, h archive.Header) error {
	if err := l.strip(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	back, err := l.s.openReadBack(ctx, l.schema, cancel)
	if err != nil {
		return err
	}
	loaded, err := l.copyAll(ctx, src, back)
	if err == nil {
		err = l.analyze(ctx, "r", "p") // while the last tables are read back
	}
	sums, errBack := back.wait(ctx)
	if err = firstCause(err, errBack); err != nil {
		return err
	}
	for _, t := range loaded {
		want, ok := src.sum(t.name)
		if !ok {
			return &ContentError{t.name, "is not in the manifest"}
		}
		if err := t.compare(want, sums[t.name]); err != nil {
			return err
		}
	}
	if err := l.generate(ctx); err != nil {
		return err
	}
	if err := l.reindex(ctx); err != nil {
		return err
	}
	if err := l.setSequences(ctx, h); err != nil {
		return err
	}
	if err := l.unstrip(ctx); err != nil {
		return err
	}
	return l.refresh(ctx, h)
}

// cmpErr returns the error that says what went wrong: the other one may only say that it was stopped.
func firstCause(load, back error) error {
	if back != nil && (load == nil || errors.Is(load, context.Canceled)) {
		return back
	}
	return load
}

// loadedTable is what was sent of a table.
type loadedTable struct {
	name   string
	rows   int64
	digest *digest // of a partitioned table, and of one with hidden columns; else nil
}

// copyAll loads table by table, and tells the reader of each that is committed.
func (l *loader) copyAll(ctx context.Context, src rowSource, back *readBack) ([]loadedTable, error) {
	defer back.end()
	var loaded []loadedTable
	for {
		table, rows, err := src.next(ctx)
		if errors.Is(err, io.EOF) {
			return loaded, nil
		}
		if err != nil {
			return nil, err
		}
		hidden := src.hidden(table.Name)
		t := loadedTable{name: table.Name}
		if table.Partitioned || len(hidden) > 0 {
			t.digest = &digest{excluded: hidden}
		}
		if t.rows, err = l.copyIn(ctx, table, rows, t.digest); err != nil {
			return nil, err
		}
		loaded = append(loaded, t)
		l.restore.report(ctx, Event{Kind: EventLoaded, Table: t.name, Rows: t.rows, Done: len(loaded)})
		back.read(tableToRead{table, hidden})
	}
}

// copyIn loads a table in a transaction that empties it first of what migrations have put there: so rows go to its end, in their
// order, which is that of reading back, and can be written as if all had seen them.
func (l *loader) copyIn(ctx context.Context, table archive.Table, rows io.Reader, d *digest) (int64, error) {
	sql, err := l.copyInSQL(table)
	if err != nil {
		return 0, err
	}
	src := &tableInput{r: bufio.NewReaderSize(&cancellable{ctx.Err, rows}, 128<<10)}
	if err := src.readHeader(table.Stored()); err != nil {
		if src.failed(err) {
			return 0, err
		}
		return 0, &RowsError{Table: table.Name, Err: err}
	}
	var r io.Reader = src
	if d != nil {
		r = io.TeeReader(src, d)
	}
	pg := l.conn.PgConn()
	if _, err := pg.Exec(ctx, sql.before).ReadAll(); err != nil {
		return 0, fmt.Errorf("empty table %q: %w", table.Name, err)
	}
	tag, err := pg.CopyFrom(ctx, r, sql.copy)
	if err == nil {
		_, err = pg.Exec(ctx, "commit").ReadAll()
	}
	switch {
	case src.err != nil: // what the source said is the reason of all else
		return 0, src.err
	case err != nil && ctx.Err() == nil && isRefusal(err):
		return 0, &RowsError{Table: table.Name, Object: constraintOf(err), Err: err}
	case err != nil:
		return 0, fmt.Errorf("load table %q: %w", table.Name, err)
	}
	if d != nil {
		if err := d.end(); err != nil {
			return 0, &RowsError{Table: table.Name, Err: err}
		}
	}
	return tag.RowsAffected(), nil
}

type copyInSQL struct{ before, copy string }

func (l *loader) copyInSQL(table archive.Table) (copyInSQL, error) {
	name, err := l.name(table.Name)
	if err != nil {
		return copyInSQL{}, err
	}
	columns := table.Stored()
	for i, c := range columns {
		if columns[i], err = schemactx.QuoteName(c); err != nil {
			return copyInSQL{}, err
		}
	}
	only, freeze := "only ", ", freeze"
	if table.Partitioned {
		only, freeze = "", ""
	}
	list := ""
	if len(columns) > 0 {
		list = " (" + strings.Join(columns, ", ") + ")"
	}
	return copyInSQL{
		// Constraints may call functions that look for tables of the schema.
		before: "begin; " + settingsOf(l.conn.PgConn()) + "; set local search_path = " + l.path + "; truncate " + only + name,
		copy:   "copy " + name + list + " from stdin (format csv, encoding 'UTF8'" + freeze + ")",
	}, nil
}

// tableInput is the CSV of a table behind the line with the names of its columns.
type tableInput struct {
	r   *bufio.Reader
	err error // of the source, but for io.EOF
}

func (in *tableInput) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}

// failed reports whether an error is the source's own.
func (in *tableInput) failed(err error) bool {
	return !errors.Is(err, errRecord) && !errors.Is(err, errNoRow) && !errors.Is(err, errQuoting) && !errors.Is(err, errColumns) && !errors.Is(err, io.EOF)
}

var errColumns = errors.New("columns of the rows are not those of the header")

func (in *tableInput) readHeader(columns []string) error {
	rows := rowReader{r: in.r, limit: maxHeader}
	line, err := rows.next()
	if err != nil {
		return err
	}
	values, err := splitRow(line)
	if err != nil {
		return err
	}
	var names []string
	for _, v := range values {
		if !v.null {
			names = append(names, v.text)
		}
	}
	if !slices.Equal(names, columns) || len(names) != len(values) && len(columns) > 0 {
		return errColumns
	}
	return nil
}

// isServer reports whether the server has refused something, as opposed to being away or told to stop.
func isRefusal(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code[:2] {
	case "21", "22", "23", "42", "44", "54", "P0":
		return true
	}
	return false
}

func constraintOf(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.ConstraintName
	}
	return ""
}
