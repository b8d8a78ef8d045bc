package schemactx

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Connect opens a connection outside of the pool, to the pool's server and with its login. It is
// for LISTEN, which no scope allows. The connection has no scope, so the runtime login cannot read
// any data on it. Connect calls the pool's BeforeConnect, but not its AfterConnect. ctx governs the
// opening only. The caller closes the connection.
func (db *DB) Connect(ctx context.Context) (*pgx.Conn, error) {
	pool := db.pool.Config()
	cc := pool.ConnConfig
	cc.OnNotification = nil // a handler would take them from WaitForNotification
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
