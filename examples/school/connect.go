package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func openPool(ctx context.Context, databaseURL string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unreachable(err)
	}
	return pool, nil
}

// unreachable says in one sentence why there is no connection.
func unreachable(err error) error {
	var connectErr *pgconn.ConnectError
	if !errors.As(err, &connectErr) {
		return err
	}
	where := net.JoinHostPort(connectErr.Config.Host, fmt.Sprint(connectErr.Config.Port))
	var pgErr *pgconn.PgError
	var opErr *net.OpError
	switch {
	case errors.As(err, &pgErr):
		return fmt.Errorf("the database at %s refuses the connection: %s", where, pgErr.Message)
	case errors.As(err, &opErr):
		return fmt.Errorf("the database at %s cannot be reached: %w", where, rootCause(opErr))
	}
	return fmt.Errorf("the database at %s cannot be reached: %w", where, err)
}
