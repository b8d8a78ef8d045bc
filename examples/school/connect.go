package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTimeout bounds each attempt to connect if the URL has no connect_timeout. Without it the
// program would wait for minutes for a host that does not answer.
const connectTimeout = 15 * time.Second

// connect opens one connection.
func connect(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, errBadURL // the error of pgx may contain the password
	}
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, connectTimeout)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, unreachable(err)
	}
	return conn, nil
}

func openPool(ctx context.Context, databaseURL string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, errBadURL
	}
	cfg.ConnConfig.ConnectTimeout = cmp.Or(cfg.ConnConfig.ConnectTimeout, connectTimeout)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unreachable(err)
	}
	return pool, nil
}

// refusedError means that the server answers but refuses the connection.
type refusedError struct {
	where string
	err   *pgconn.PgError
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the database at %s refuses the connection: %s", e.where, e.err.Message)
}

func (e *refusedError) Unwrap() error { return e.err }

// unreachable returns an error that explains a failed connection in one sentence.
func unreachable(err error) error {
	var connectErr *pgconn.ConnectError
	if !errors.As(err, &connectErr) {
		return err
	}
	where := net.JoinHostPort(connectErr.Config.Host, fmt.Sprint(connectErr.Config.Port))
	var pgErr *pgconn.PgError
	var opErr *net.OpError
	var dnsErr *net.DNSError
	switch {
	case errors.As(err, &pgErr):
		return &refusedError{where, pgErr}
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the database at %s does not answer within %s: %w", where, connectErr.Config.ConnectTimeout,
			context.DeadlineExceeded)
	case errors.As(err, &dnsErr):
		return fmt.Errorf("the database at %s cannot be reached: %w", where, dnsErr)
	case errors.As(err, &opErr):
		return fmt.Errorf("the database at %s cannot be reached: %w", where, rootCause(opErr))
	}
	return fmt.Errorf("the database at %s cannot be reached: %w", where, err)
}
