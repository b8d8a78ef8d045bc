package schemactx

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Connect opens a connection beside the pool, to the pool's server and as its login: for LISTEN,
// which no scope allows. It is in no scope, so the runtime login can read nothing on it. The pool's
// BeforeConnect is called for it, AfterConnect is not. ctx governs the opening alone. The caller
// closes the connection.
func (db *DB) Connect(ctx context.Context) (*pgx.Conn, error) {
	pool := db.pool.Config()
	cc := pool.ConnConfig
	cc.OnNotification = nil // would keep notifications from WaitForNotification
	if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, cc); err != nil {
			return nil, fmt.Errorf("open a connection: %w", err)
		}
	}
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, fmt.Errorf("open a connection: %w", err)
	}
	return conn, nil
}
