package registrydb

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Querier runs queries on a registry.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Beginner begins a transaction.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Reader is a [Querier] for statements with the mark.
type Reader struct {
	db     Querier
	schema Schema
}

// Reader returns db for statements with the mark.
func (s Schema) Reader(db Querier) Reader { return Reader{db, s} }

// Query replaces the mark and runs the query.
func (r Reader) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return r.db.Query(ctx, r.schema.SQL(sql), args...)
}

// Pool is a pool for statements with the mark. Its field Pool is for statements without the mark.
type Pool struct {
	*pgxpool.Pool
	schema Schema
}

// Pool returns pool for statements with the mark.
func (s Schema) Pool(pool *pgxpool.Pool) *Pool { return &Pool{pool, s} }

// Schema returns the registry's schema.
func (p *Pool) Schema() Schema { return p.schema }

// Exec replaces the mark and runs the statement.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return p.Pool.Exec(ctx, p.schema.SQL(sql), args...)
}

// Query replaces the mark and runs the query.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.Pool.Query(ctx, p.schema.SQL(sql), args...)
}

// QueryRow replaces the mark and runs the query.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return p.Pool.QueryRow(ctx, p.schema.SQL(sql), args...)
}

// Begin begins a transaction for statements with the mark.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) {
	return p.schema.Beginner(p.Pool).Begin(ctx)
}

type beginner struct {
	db     Beginner
	schema Schema
}

// Beginner returns db for transactions whose statements have the mark.
func (s Schema) Beginner(db Beginner) Beginner { return beginner{db, s} }

// Begin begins a transaction whose statements have the mark.
func (b beginner) Begin(ctx context.Context) (pgx.Tx, error) {
	begun, err := b.db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return tx{begun, b.schema}, nil
}

// Conn is a connection for statements with the mark.
type Conn struct {
	*pgx.Conn
	schema Schema
}

// Conn returns conn for statements with the mark.
func (s Schema) Conn(conn *pgx.Conn) *Conn { return &Conn{conn, s} }

// Exec replaces the mark and runs the statement.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.Conn.Exec(ctx, c.schema.SQL(sql), args...)
}

// Query replaces the mark and runs the query.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.Conn.Query(ctx, c.schema.SQL(sql), args...)
}

// QueryRow replaces the mark and runs the query.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return c.Conn.QueryRow(ctx, c.schema.SQL(sql), args...)
}

// tx is a transaction for statements with the mark.
type tx struct {
	pgx.Tx
	schema Schema
}

// Exec replaces the mark and runs the statement.
func (t tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.Tx.Exec(ctx, t.schema.SQL(sql), args...)
}

// Query replaces the mark and runs the query.
func (t tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.Tx.Query(ctx, t.schema.SQL(sql), args...)
}

// QueryRow replaces the mark and runs the query.
func (t tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.Tx.QueryRow(ctx, t.schema.SQL(sql), args...)
}
