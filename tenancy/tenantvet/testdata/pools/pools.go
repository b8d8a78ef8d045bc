// Package pools has raw pools beside scoped handles.
package pools

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

type server struct {
	db   *schemactx.DB
	pool *pgxpool.Pool
	std  *sql.DB
}

func (s *server) bad(ctx context.Context) {
	// want +1 `SQL on a raw \*pgxpool.Pool runs outside of every scope: use the schemactx.DB`
	_, _ = s.pool.Exec(ctx, "select 1")
	_ = s.pool.QueryRow(ctx, "select 1")      // want `SQL on a raw \*pgxpool.Pool`
	_, _ = s.pool.Begin(ctx)                  // want `SQL on a raw \*pgxpool.Pool`
	_ = s.pool.SendBatch(ctx, &pgx.Batch{})   // want `SQL on a raw \*pgxpool.Pool`
	_, _ = s.std.ExecContext(ctx, "select 1") // want `SQL on a raw \*sql.DB`
	conn, _ := s.pool.Acquire(ctx)            // want `SQL on a raw \*pgxpool.Pool`
	_, _ = conn.Exec(ctx, "select 1")         // want `SQL on a raw \*pgxpool.Conn`
	// want +1 `SQL on a raw \*pgx.Conn` `SQL on a raw \*pgxpool.Conn`
	_, _ = conn.Conn().Query(ctx, "select 1")
	_ = pgx.BeginFunc(ctx, s.pool, func(pgx.Tx) error { return nil }) // want `SQL on a raw \*pgxpool.Pool`
}

func parameter(ctx context.Context, db *schemactx.DB, pool *pgxpool.Pool) {
	func() {
		_, _ = pool.Query(ctx, "select 1") // want `SQL on a raw \*pgxpool.Pool`
	}()
	_ = db
}

func variable(ctx context.Context, pool *pgxpool.Pool) error {
	db, err := schemactx.New(pool, schemactx.Config{})
	if err != nil {
		return err
	}
	if err := pool.Ping(ctx); err != nil { // Ping runs no SQL of the program
		return err
	}
	_, err = pool.Exec(ctx, "select 1") // want `SQL on a raw \*pgxpool.Pool`
	defer db.Close()
	return err
}

func (s *server) good(ctx context.Context) error {
	_, err := s.db.Exec(ctx, "select 1")
	if err != nil {
		return err
	}
	_ = s.pool.Stat()
	return s.db.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select 1")
		return err
	})
}

func (s *server) allowed(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "select 1") //tenantvet:allow tenantpool asks whether the server answers
	return err
}

// noneAtHand has no scoped handle.
func noneAtHand(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := pool.Exec(ctx, "create table t ()")
	return err
}
