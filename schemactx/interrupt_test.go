package schemactx_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// interrupter is the caller's code at every place where this package calls it. At the armed place
// it panics or ends its goroutine.
type interrupter struct {
	mu    sync.Mutex
	seen  map[string]bool // the places that were reached
	armed string
	exit  bool
}

func (b *interrupter) at(place string) {
	b.mu.Lock()
	b.seen[place] = true
	armed, exit := b.armed == place, b.exit
	b.mu.Unlock()
	switch {
	case armed && exit:
		runtime.Goexit()
	case armed:
		panic(place)
	}
}

// arm sets the place, "" for none, and returns the places reached since the last call.
func (b *interrupter) arm(place string, exit bool) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := slices.Sorted(maps.Keys(b.seen))
	b.seen, b.armed, b.exit = make(map[string]bool), place, exit
	return seen
}

func (b *interrupter) hooks() schemactx.Hooks {
	return schemactx.Hooks{
		ScopeStart:       func(context.Context, schemactx.ScopeStart) { b.at("ScopeStart") },
		ScopeEnd:         func(context.Context, schemactx.ScopeEnd) { b.at("ScopeEnd") },
		StatementEnd:     func(context.Context, schemactx.StatementEnd) { b.at("StatementEnd") },
		SchemaSwitch:     func(context.Context, schemactx.SchemaSwitch) { b.at("SchemaSwitch") },
		StatementFailure: func(context.Context, schemactx.StatementFailure) { b.at("StatementFailure") },
	}
}

// config returns the Config of a DB in which each tenant has one connection.
func (b *interrupter) config() schemactx.Config {
	return schemactx.Config{
		Hooks: b.hooks(),
		Limits: func(string) schemactx.Limits {
			b.at("Limits")
			return schemactx.Limits{MaxConns: 1}
		},
	}
}

func (b *interrupter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	b.at("TraceQueryStart")
	return ctx
}

func (b *interrupter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	b.at("TraceQueryEnd")
}

func (b *interrupter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	b.at("TraceBatchStart")
	return ctx
}

func (b *interrupter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	b.at("TraceBatchQuery")
}

func (b *interrupter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {
	b.at("TraceBatchEnd")
}

func (b *interrupter) TraceCopyFromStart(
	ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData,
) context.Context {
	b.at("TraceCopyFromStart")
	return ctx
}

func (b *interrupter) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {
	b.at("TraceCopyFromEnd")
}

func (b *interrupter) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	b.at("TracePrepareStart")
	return ctx
}

func (b *interrupter) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {
	b.at("TracePrepareEnd")
}

// rewriter is a [pgx.QueryRewriter].
type rewriter struct{ *interrupter }

func (r rewriter) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, args []any) (string, []any, error) {
	r.at("RewriteQuery")
	return sql, args, nil
}

// Value implements [driver.Valuer].
func (b *interrupter) Value() (driver.Value, error) {
	b.at("Value")
	return "a body", nil
}

// Scan implements [database/sql.Scanner].
func (b *interrupter) Scan(any) error {
	b.at("Scan")
	return nil
}

// rowScanner implements [pgx.RowScanner] with the interrupter as the row's column.
type rowScanner struct{ *interrupter }

func (s rowScanner) ScanRow(rows pgx.Rows) error {
	s.at("ScanRow")
	return rows.Scan(s.interrupter)
}

// copySource has one row with the interrupter as a value.
type copySource struct {
	*interrupter
	id   any
	read bool
}

func (s *copySource) Next() bool {
	s.at("Next")
	defer func() { s.read = true }()
	return !s.read
}

func (s *copySource) Values() ([]any, error) {
	s.at("Values")
	return []any{s.id, s.interrupter}, nil
}

func (s *copySource) Err() error {
	s.at("Err")
	return nil
}

// interruptible are the operations; with fails they end with an error of the server. They defer
// nothing, because everything must be released without the caller's help.
func interruptible(b *interrupter) map[string]func(ctx context.Context, db *schemactx.DB, fails bool) error {
	read := func(fails bool) string {
		if fails {
			return fmt.Sprintf("select body || (1/(id-1))::text from notes where body <> $1 and %d > 0", time.Now().UnixNano())
		}
		// a new text, so that it is prepared each time
		return fmt.Sprintf("select body from notes where body <> $1 and %d > 0", time.Now().UnixNano())
	}
	readRows := func(rows pgx.Rows, err error, dest any) error {
		if err != nil {
			return err
		}
		for rows.Next() {
			if err := rows.Scan(dest); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	batch := func(fails bool) *pgx.Batch {
		bt := &pgx.Batch{}
		bt.Queue(read(false), rewriter{b}, b).Query(func(rows pgx.Rows) error {
			b.at("Fn")
			return readRows(rows, nil, rowScanner{b})
		})
		bt.Queue(read(fails), rewriter{b}, b)
		return bt
	}
	source := func(fails bool) (pgx.Identifier, []string, pgx.CopyFromSource) {
		id := 7
		if fails {
			id = 1
		}
		return pgx.Identifier{"copied"}, []string{"id", "body"}, &copySource{interrupter: b, id: id}
	}
	type txCall func(ctx context.Context, tx pgx.Tx, fails bool) error
	inTx := func(f txCall) func(context.Context, *schemactx.DB, bool) error {
		return func(ctx context.Context, db *schemactx.DB, fails bool) error {
			tx, err := db.Begin(ctx)
			if err != nil {
				return err
			}
			if err := f(ctx, tx, fails); err != nil {
				_ = tx.Rollback(ctx)
				return err
			}
			if fails {
				return tx.Rollback(ctx)
			}
			return tx.Commit(ctx)
		}
	}
	return map[string]func(ctx context.Context, db *schemactx.DB, fails bool) error{
		"Exec": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			_, err := db.Exec(ctx, read(fails), rewriter{b}, b)
			return err
		},
		"Query": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			rows, err := db.Query(ctx, read(fails), rewriter{b}, b)
			return readRows(rows, err, b)
		},
		"Query and ScanRow": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			rows, err := db.Query(ctx, read(fails), rewriter{b}, b)
			return readRows(rows, err, rowScanner{b})
		},
		"QueryRow": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			return db.QueryRow(ctx, read(fails), rewriter{b}, b).Scan(b)
		},
		"Query and Values": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			rows, err := db.Query(ctx, read(fails), rewriter{b}, b)
			for err == nil && rows.Next() {
				_, err = rows.Values()
			}
			rows.Close()
			return err
		},
		"SendBatch": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			return db.SendBatch(ctx, batch(fails)).Close()
		},
		"SendBatch, read one by one": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			br := db.SendBatch(ctx, batch(fails))
			err := br.QueryRow().Scan(b)
			if err == nil {
				_, err = br.Exec()
			}
			_ = br.Close()
			return err
		},
		"CopyFrom": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			table, columns, src := source(fails)
			_, err := db.CopyFrom(ctx, table, columns, src)
			return err
		},
		"InTx": func(ctx context.Context, db *schemactx.DB, fails bool) error {
			return db.InTx(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, read(fails), rewriter{b}, b).Scan(b) })
		},
		"Tx.Exec": inTx(func(ctx context.Context, tx pgx.Tx, fails bool) error {
			_, err := tx.Exec(ctx, read(fails), rewriter{b}, b)
			return err
		}),
		"Tx.Query": inTx(func(ctx context.Context, tx pgx.Tx, fails bool) error {
			rows, err := tx.Query(ctx, read(fails), rewriter{b}, b)
			return readRows(rows, err, rowScanner{b})
		}),
		"Tx.SendBatch": inTx(func(ctx context.Context, tx pgx.Tx, fails bool) error {
			return tx.SendBatch(ctx, batch(fails)).Close()
		}),
		"Tx.CopyFrom": inTx(func(ctx context.Context, tx pgx.Tx, fails bool) error {
			table, columns, src := source(fails)
			_, err := tx.CopyFrom(ctx, table, columns, src)
			return err
		}),
		"Tx.Prepare": inTx(func(ctx context.Context, tx pgx.Tx, fails bool) error {
			sql := read(fails)
			if fails {
				sql = "select missing"
			}
			if _, err := tx.Prepare(ctx, "read", sql); err != nil {
				return err
			}
			return tx.QueryRow(ctx, "read", rewriter{b}, b).Scan(b)
		}),
		"savepoint": inTx(func(ctx context.Context, tx pgx.Tx, fails bool) error {
			inner, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			if err := inner.QueryRow(ctx, read(fails), rewriter{b}, b).Scan(b); err != nil {
				return inner.Rollback(ctx)
			}
			return inner.Commit(ctx)
		}),
		"a commit": inTx(func(ctx context.Context, tx pgx.Tx, fails bool) error {
			if !fails {
				_, err := tx.Exec(ctx, "update notes set body = body")
				return err
			}
			if _, err := tx.Exec(ctx, "insert into refs values (-1)"); err != nil { // makes the commit fail
				return err
			}
			return tx.Commit(ctx)
		}),
	}
}

// run runs the operation on its own goroutine, which the armed place may end.
func (b *interrupter) run(op func() error) (err error, whole bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		err = op()
		whole = true
	}()
	<-done
	return err, whole
}

// After a panic or Goexit at any place of any operation, nothing is held any more, and the
// transaction has left nothing.
func TestInterruptedCallsReleaseEverything(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T, *fixture, *interrupter, *pgxpool.Config) *schemactx.DB{
		"pool": func(t *testing.T, f *fixture, b *interrupter, pool *pgxpool.Config) *schemactx.DB {
			cfg := b.config()
			cfg.ServerLog = schemactx.ServerLogApplicationName
			cfg.RequestID = func(context.Context) string { b.at("RequestID"); return "r1" }
			return f.openWith(t, pool, cfg)
		},
		"lanes": func(t *testing.T, f *fixture, b *interrupter, pool *pgxpool.Config) *schemactx.DB {
			cfg := b.config()
			cfg.Lanes = 1
			return f.openWith(t, pool, cfg)
		},
		"logins": func(t *testing.T, f *fixture, b *interrupter, pool *pgxpool.Config) *schemactx.DB {
			f.provisionLogin(t, "tenant_a", "a's password")
			f.provisionLogin(t, "tenant_b", "b's password")
			cfg := b.config()
			cfg.Level = schemactx.Logins
			password := func(_ context.Context, schema string) (string, error) {
				b.at("Password")
				return schema[len("tenant_"):] + "'s password", nil
			}
			cfg.Logins = schemactx.LoginsConfig{MaxConns: 1, MaxPools: 2, Password: password}
			return f.openWith(t, pool, cfg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, b := setup(t), &interrupter{}
			f.exec(t, "create table tenant_a.copied (id int check (id > 1), body text)")
			f.exec(t, "create table tenant_a.refs (id int references tenant_a.notes deferrable initially deferred)")
			pool, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
			require.NoError(t, err)
			pool.MaxConns, pool.ConnConfig.Tracer = 1, b
			db := open(t, f, b, pool)
			t.Cleanup(db.Close)
			exits := []bool{false, true}
			if name != "pool" {
				exits = exits[:1] // Goexit takes the same path, and each costs a connection
			}
			interruptEverywhere(t, f, b, db, exits)
		})
	}
}

func interruptEverywhere(t *testing.T, f *fixture, b *interrupter, db *schemactx.DB, exits []bool) {
	reached := make(map[string]bool)
	for name, op := range interruptible(b) {
		for _, fails := range []bool{false, true} {
			b.arm("", false)
			db.Refresh("tenant_a")
			run := func() error {
				return schemactx.WithSchema(t.Context(), "tenant_a", func(ctx context.Context) error { return op(ctx, db, fails) })
			}
			err, whole := b.run(run)
			require.True(t, whole, name)
			if !fails {
				require.NoError(t, err, name)
			}
			for _, place := range b.arm("", false) {
				for _, exit := range exits {
					what := fmt.Sprintf("%s, fails: %t, %s, exits: %t", name, fails, place, exit)
					if place == "Limits" || place == "Password" {
						db.Refresh("tenant_a")
					}
					b.arm(place, exit)
					_, whole := b.run(run)
					if place != "Password" { // its panic becomes an error
						assert.False(t, whole, what)
					}
					b.arm("", false)
					reached[place] = true
					expectAllGivenBack(t, f, db, what)
				}
			}
		}
	}
	places := []string{
		"ScopeStart", "ScopeEnd", "StatementEnd", "StatementFailure", "SchemaSwitch", "Limits",
		"TraceQueryStart", "TraceQueryEnd", "TraceBatchStart",
		"TraceBatchQuery", "TraceBatchEnd", "TraceCopyFromStart", "TraceCopyFromEnd", "TracePrepareStart", "TracePrepareEnd",
		"RewriteQuery", "Value", "Scan", "ScanRow", "Fn", "Next", "Values", "Err",
	}
	for _, place := range places {
		assert.True(t, reached[place], "%s was never reached", place)
	}
}

// expectAllGivenBack fails the test if an abandoned unit of work still holds anything, in this
// process or on the server.
func expectAllGivenBack(t *testing.T, f *fixture, db *schemactx.DB, what string) {
	t.Helper()
	for _, schema := range []string{"tenant_b", "tenant_a"} {
		short, cancel := context.WithTimeout(in(t, schema), time.Minute)
		var id int
		var assigned *string
		err := db.QueryRow(short, "select id, pg_current_xact_id_if_assigned()::text from notes where id = 1").
			Scan(&id, &assigned)
		cancel()
		require.NoError(t, err, what)
		require.Nil(t, assigned, what)
	}
	require.Empty(t, db.Usage(), what)
	require.Eventually(t, func() bool { return db.PoolStats().Acquired == 0 }, time.Minute, time.Millisecond, what)
	require.Eventually(t, func() bool {
		var left int
		err := f.pg.Pool.QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`).Scan(&left)
		return err == nil && left == 0
	}, 20*time.Second, 5*time.Millisecond, what)
}
