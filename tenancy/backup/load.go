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

// rowSource provides the rows of a load.
type rowSource interface {
	// next returns the next table and its CSV, or io.EOF after the last complete table.
	next(ctx context.Context) (archive.Table, io.Reader, error)

	// sum returns the sum of the table's CSV. It is available after next has returned io.EOF.
	sum(table string) (archive.TableSum, bool)

	// hidden returns the indexes of columns whose values are not known in advance, because they are
	// anonymized: the server may print such a value in another form.
	hidden(table string) []int

	// loaded releases the source: no more rows are read. A failed load does not call it.
	loaded(ctx context.Context)
}

// loader fills a schema that migrations have just created and that no session uses. Nothing in an
// archive becomes SQL: the names of tables, columns and sequences are those in the catalog, with
// which the archive's are compared.
//
// It needs only the privileges of the tables' owner. It disables triggers individually. It drops
// foreign keys, and checks that could refuse rows while others are missing, and adds them again
// after all rows were loaded. session_replication_role, which disables triggers and foreign keys,
// requires a superuser.
type loader struct {
	s        *Service
	conn     *pgx.Conn
	schema   string
	path     string
	catalog  *catalog
	oids     []uint32      // of tables and partitions
	deferred []deferredSQL // restores what disableConstraints disabled
	restore  restoreRun

	checks            []check      // dropped checks, in the order of dropping
	checkStatesBefore []checkState // former states of the dropped checks in all tables
	notValid          []string     // checks that were valid and are left NOT VALID

	warnings []Warning
}

// deferredSQL is a statement that restoreConstraints runs, with the object that it is about.
type deferredSQL struct {
	table, object, sql string
}

// closeTimeout bounds the closing of a connection.
const closeTimeout = 5 * time.Second

// openLoader hijacks a connection from the pool, because the loader changes session settings, and
// reads the schema that the migrations have created.
func (s *Service) openLoader(ctx context.Context, schema string, run restoreRun) (*loader, error) {
	path, err := s.cfg.Migrations.SearchPath(schema)
	if err != nil {
		return nil, err
	}
	pooled, err := s.cfg.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	l := &loader{s: s, conn: pooled.Hijack(), schema: schema, path: path, restore: run}
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
	_ = conn.Close(ctx) // the connection is not used again whether or not this fails
}

// read reads the schema's catalog. It can be called again.
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

// transact runs fn in a transaction with the settings of sessionSQL.
func (l *loader) transact(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settingsOf(tx.Conn().PgConn()), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		return fn(tx)
	})
}

// name returns the quoted and qualified name of a relation of the schema.
func (l *loader) name(relation string) (string, error) {
	return schemactx.QuoteName(l.schema, relation)
}

// load fills the tables from src. It reads each table back while the next one is loaded, and
// compares.
func (l *loader) load(ctx context.Context, src rowSource, h archive.Header) error {
	if err := l.disableConstraints(ctx); err != nil {
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
	if err := l.restoreConstraints(ctx); err != nil {
		return err
	}
	return l.refresh(ctx, h)
}

// firstCause returns the error that names the cause: the other one may only be the cancellation
// that it caused.
func firstCause(load, back error) error {
	if back != nil && (load == nil || errors.Is(load, context.Canceled)) {
		return back
	}
	return load
}

// loadedTable is the sum of a table's loaded rows.
type loadedTable struct {
	name   string
	rows   int64
	digest *digest // for a partitioned table and for one with hidden columns; otherwise nil
}

// copyAll loads table by table, and queues each committed table for reading back.
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

// copyIn loads a table in a transaction that truncates it first, because migrations may have
// inserted rows. After TRUNCATE, rows are appended in their order, so that they are read back in
// the same order. COPY can also freeze them.
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
	case src.err != nil: // the source's error is the cause of the others
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
		// Constraints may call functions that use tables of the schema by unqualified names.
		before: "begin; " + settingsOf(l.conn.PgConn()) + "; set local search_path = " + l.path + "; truncate " + only + name,
		copy:   "copy " + name + list + " from stdin (format csv, encoding 'UTF8'" + freeze + ")",
	}, nil
}

// tableInput is the CSV of a table after the line with the column names.
type tableInput struct {
	r   *bufio.Reader
	err error // error of the source except io.EOF
}

func (in *tableInput) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}

// failed reports whether an error comes from the source and not from the content of the CSV.
func (in *tableInput) failed(err error) bool {
	content := []error{errRecord, errNoRow, errQuoting, errColumns, io.EOF}
	return !slices.ContainsFunc(content, func(e error) bool { return errors.Is(err, e) })
}

var errColumns = errors.New("columns of the rows differ from the header")

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

// isRefusal reports whether the server refused data or a statement, as opposed to being unreachable
// or cancelled.
func isRefusal(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code[:min(2, len(pgErr.Code))] { // a proxy may send any code
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
