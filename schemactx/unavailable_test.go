package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestUnavailable(t *testing.T) {
	t.Parallel()
	_, noServer := pgconn.Connect(t.Context(), "postgres://u@127.0.0.1:1/d?sslmode=disable")
	for _, c := range []struct {
		err            error
		away, mayStand bool
	}{
		{nil, false, true},
		{noServer, true, false},
		{fmt.Errorf("open: %w", noServer), true, false},
		{&pgconn.PgError{Code: "57P01"}, true, true},
		{&pgconn.PgError{Code: "57P03"}, true, true},
		{&pgconn.PgError{Code: "53300"}, true, false},
		{&pgconn.PgError{Code: "08006"}, true, true},
		{&pgconn.PgError{Code: "57014"}, false, false}, // canceled, or statement_timeout
		{&pgconn.PgError{Code: "23505"}, false, false},
		{fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), true, true},
		{context.DeadlineExceeded, false, true},
		{errors.New("the program's own"), false, true},
		{&schemactx.LoginError{}, false, false},
	} {
		assert.Equal(t, c.away, schemactx.Unavailable(c.err), "unavailable: %v", c.err)
		assert.Equal(t, c.mayStand, schemactx.MayBeCommitted(c.err), "may be committed: %v", c.err)
	}
}

// A server that accepts connections and never answers is unavailable if the caller's deadline
// passes, but not if the caller cancels.
func TestContextEndsWhileConnecting(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted := make(chan net.Conn, 8)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn // open until the end of the test
		}
	}()
	defer func() {
		_ = listener.Close()
		for len(accepted) > 0 {
			_ = (<-accepted).Close()
		}
	}()
	url := "postgres://u@" + listener.Addr().String() + "/d?sslmode=disable"

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = pgconn.Connect(ended, url)
	assert.False(t, schemactx.Unavailable(err), "cancelled before: %v", err)

	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := pgconn.Connect(ctx, url)
		failed <- err
	}()
	conn := <-accepted
	cancel()
	err = <-failed
	_ = conn.Close()
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, schemactx.Unavailable(err), "cancelled: %v", err)
	assert.False(t, schemactx.MayBeCommitted(err), "cancelled: %v", err)

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = pgconn.Connect(short, url)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.True(t, schemactx.Unavailable(err), "deadline: %v", err)
	assert.False(t, schemactx.MayBeCommitted(err), "deadline: %v", err)
}

// If the server ends an idle connection, nothing has been sent; if it does so during a statement,
// something has.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pool := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	ctx := schemactx.NewContext(t.Context(), "tenant_a")
	end := func() {
		_, err := f.pg.Pool.Exec(
			t.Context(),
			"select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = $1",
			f.roles.Runtime(),
		)
		require.NoError(t, err)
	}
	err = db.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select 1")
		require.NoError(t, err)
		end()
		_, err = tx.Exec(ctx, "insert into notes values (7, 'lost')")
		return err
	})
	assert.True(t, schemactx.Unavailable(err), "%v", err)
	assert.True(t, schemactx.MayBeCommitted(err), "%v", err) // the client cannot know

	pool.Close()
	closed, err := pgxpool.New(t.Context(), f.pg.URLAs(f.roles.Runtime(), "wrong"))
	require.NoError(t, err)
	defer closed.Close()
	db, err = schemactx.New(closed, schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	_, err = db.Exec(ctx, "select 1")
	assert.True(t, schemactx.Unavailable(err), "%v", err)
	assert.False(t, schemactx.MayBeCommitted(err), "%v", err)
}

// The statement was sent, but its answer never arrives.
func TestTruncatedResponse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := schemactx.NewContext(t.Context(), "tenant_a")
	insert := "insert into notes values ($1, 'lost')"
	for name, send := range map[string]func(db *schemactx.DB, id int) error{
		"Exec": func(db *schemactx.DB, id int) error {
			_, err := db.Exec(ctx, insert, id)
			return err
		},
		"QueryRow": func(db *schemactx.DB, id int) error {
			return db.QueryRow(ctx, insert+" returning id", id).Scan(&id)
		},
		"Query": func(db *schemactx.DB, id int) error {
			rows, err := db.Query(ctx, insert+" returning id", id)
			if err == nil {
				_, err = pgx.CollectRows(rows, pgx.RowTo[int])
			}
			return err
		},
		"SendBatch": func(db *schemactx.DB, id int) error {
			b := &pgx.Batch{}
			b.Queue(insert, id)
			return db.SendBatch(ctx, b).Close()
		},
		"InTx": func(db *schemactx.DB, id int) error {
			return db.InTx(ctx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insert, id)
				return err
			})
		},
	} {
		var socket *net.TCPConn
		cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword) + "&pool_max_conns=1")
		require.NoError(t, err)
		cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			socket, _ = c.(*net.TCPConn)
			return c, err
		}
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		db, err := schemactx.New(pool, schemactx.Config{Roles: f.roles})
		require.NoError(t, err)
		id := 100
		for range 2 { // the second time the statement is prepared
			id++
			require.NoError(t, send(db, id), name)
		}
		if socket == nil {
			t.Skip("the server is not reached over TCP")
		}
		tx, err := f.pg.Pool.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "lock table tenant_a.notes in access exclusive mode")
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() { failed <- send(db, 200) }()
		require.Eventually(t, func() bool {
			var waits bool
			err := f.pg.Pool.QueryRow(t.Context(), "select exists (select from pg_stat_activity where usename = $1 and "+
				"wait_event_type = 'Lock')",
				f.roles.Runtime()).
				Scan(&waits)
			return err == nil && waits
		}, time.Minute, 10*time.Millisecond, "%s waits for the lock", name)
		require.NoError(t, socket.CloseRead())
		err = <-failed
		assert.True(t, schemactx.Unavailable(err), "%s: %v", name, err)
		assert.True(t, schemactx.MayBeCommitted(err), "%s: %v", name, err)
		require.NoError(t, tx.Rollback(t.Context()))
		pool.Close()
		_, err = f.pg.Pool.Exec(t.Context(), "delete from tenant_a.notes where id > 100")
		require.NoError(t, err)
	}
}
