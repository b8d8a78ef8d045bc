package resolver

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/wait"
	"github.com/oryne/pgtenant/tenancy"
)

const (
	connectTimeout = 10 * time.Second
	closeTimeout   = time.Second
	maxReconnect   = 5 * time.Second
)

// connect opens a connection that listens, and verifies that notifications arrive on it. Every
// change that is committed after connect returns is notified on it.
func (d *Directory) connect(ctx context.Context) (*pgx.Conn, error) {
	dialing, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := d.cfg.Connect(dialing)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", tenancy.Channel, err)
	}
	// The server sends each answer behind the notifications before it, of which there may be many.
	ctx, cancel = context.WithTimeout(ctx, d.cfg.LoadTimeout)
	defer cancel()
	if _, err = conn.Exec(ctx, "listen "+tenancy.Channel); err == nil {
		err = d.verify(ctx, conn)
	}
	if err != nil {
		closeConn(conn)
		return nil, fmt.Errorf("listen on %q: %w", tenancy.Channel, err)
	}
	return conn, nil
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // the connection is not used again, also after an error
}

// listen receives notifications from conn, and from new connections after it is lost, until ctx
// ends.
func (d *Directory) listen(ctx context.Context, conn *pgx.Conn) {
	for attempt := 0; ; {
		since := time.Now()
		err := d.follow(ctx, conn)
		d.queue.disconnect()
		closeConn(conn)
		if time.Since(since) > maxReconnect {
			attempt = 0 // the connection worked
		}
		for {
			if ctx.Err() != nil {
				return
			}
			d.status.disconnected(err)
			d.cfg.Logger.WarnContext(ctx, "not connected to the registry; hosts are answered from memory",
				slog.Any("error", err))
			if !wait.Sleep(ctx, wait.Backoff(attempt, firstRetry, maxReconnect)) {
				return
			}
			attempt++
			if conn, err = d.connect(ctx); err == nil {
				break
			}
		}
		d.status.connected()
		d.queue.connect()
		d.cfg.Logger.InfoContext(ctx, "connected to the registry again")
	}
}

// follow receives notifications from conn until it breaks or ctx ends. Once per KeepAlive it pings
// the server, also while notifications arrive: a session that sends them without end must not make
// the directory look stale.
func (d *Directory) follow(ctx context.Context, conn *pgx.Conn) error {
	for {
		if err := d.receive(ctx, conn, time.Now().Add(d.cfg.KeepAlive)); err != nil {
			return err
		}
		if err := d.ping(ctx, conn); err != nil {
			return fmt.Errorf("the database of the registry does not answer: %w", err)
		}
	}
}

// receive receives notifications until a deadline. It returns an error if the connection breaks.
func (d *Directory) receive(ctx context.Context, conn *pgx.Conn, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(ctx)
		switch {
		case err == nil:
			d.notified(n)
		case ctx.Err() == nil || !pgconn.Timeout(err) || conn.IsClosed():
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (d *Directory) ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.KeepAlive)
	defer cancel()
	start := time.Now()
	if err := conn.Ping(ctx); err != nil {
		return err
	}
	// The server sends the notifications of earlier commits ahead of the ping's answer, so they are in
	// conn's buffer now. A canceled ctx reads the buffer without waiting for more.
	cancel()
	for n, err := conn.WaitForNotification(ctx); err == nil; n, err = conn.WaitForNotification(ctx) {
		d.notified(n)
	}
	if d.queue.current() {
		d.status.checked(start)
	}
	return nil
}

// notified queues the tenant that a notification names. Every role can send notifications, so the
// payload is used for nothing else, and ignored if it is not an id.
func (d *Directory) notified(n *pgconn.Notification) {
	id, ok := parseID(n.Payload)
	ok = ok && n.Channel == tenancy.Channel
	d.status.notified(ok)
	if ok {
		d.queue.addID(id)
	}
}

// parseID parses an id in the form that the registry writes.
func parseID(s string) (int64, bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0 && s[0] >= '1' && s[0] <= '9'
}
