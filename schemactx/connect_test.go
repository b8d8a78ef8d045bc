package schemactx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestConnectOpensAConnectionThatListensAndReadsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), "wrong"))
	require.NoError(t, err)
	cfg.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error {
		cc.Password = runtimePassword
		return nil
	}
	cfg.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { t.Error("the pool's handler was called") }
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	conn, err := db.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close(context.Background())

	_, err = conn.Exec(t.Context(), "select * from tenant_a.notes")
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr, "read a tenant") {
		assert.Equal(t, "42501", pgErr.Code, "read a tenant")
	}
	_, err = conn.Exec(t.Context(), "listen news")
	require.NoError(t, err)
	_, err = f.owner.Exec(t.Context(), "notify news, 'good'")
	require.NoError(t, err)
	n, err := conn.WaitForNotification(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "good", n.Payload)
	assert.Zero(t, pool.Stat().TotalConns(), "connections of the pool")
}

func TestConnectFailsAsThePoolWould(t *testing.T) {
	t.Parallel()
	f := setup(t)
	trouble := errors.New("no token")
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
	require.NoError(t, err)
	cfg.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return trouble }
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	_, err = db.Connect(t.Context())
	assert.ErrorIs(t, err, trouble)
}
