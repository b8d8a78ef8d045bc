package schemactx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

func TestConnectOpensAConnectionThatListensAndReadsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), "wrong"))
	check(t, err)
	cfg.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error {
		cc.Password = runtimePassword
		return nil
	}
	cfg.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { t.Error("the pool's handler was called") }
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
	check(t, err)
	conn, err := db.Connect(t.Context())
	check(t, err)
	defer conn.Close(context.Background())

	_, err = conn.Exec(t.Context(), "select * from tenant_a.notes")
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
		t.Errorf("read a tenant: %v", err)
	}
	_, err = conn.Exec(t.Context(), "listen news")
	check(t, err)
	_, err = f.owner.Exec(t.Context(), "notify news, 'good'")
	check(t, err)
	n, err := conn.WaitForNotification(t.Context())
	check(t, err)
	if n.Payload != "good" || pool.Stat().TotalConns() != 0 {
		t.Errorf("got %q; the pool has %d connections", n.Payload, pool.Stat().TotalConns())
	}
}

func TestConnectFailsAsThePoolWould(t *testing.T) {
	t.Parallel()
	f := setup(t)
	trouble := errors.New("no token")
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
	check(t, err)
	cfg.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return trouble }
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
	check(t, err)
	if _, err := db.Connect(t.Context()); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
}
