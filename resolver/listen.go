package resolver

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/tenancy"
)

const (
	connectTimeout = 10 * time.Second
	closeTimeout   = time.Second
	maxReconnect   = 5 * time.Second
)

// connect opens a connection that listens, and tests that notifications arrive on it. What is
// committed after that is notified on it.
func (d *Directory) connect(ctx context.Context) (*pgx.Conn, error) {
	dialing, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := d.cfg.Connect(dialing)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", tenancy.Channel, err)
	}
	// Each answer comes behind all notifications before it, of which there may be many.
	ctx, cancel = context.WithTimeout(ctx, d.cfg.LoadTimeout)
	defer cancel()
	if _, err = conn.Exec(ctx, "listen "+tenancy.Channel); err == nil {
		err = d.hear(ctx, conn)
	}
	if err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("listen on %q: %w", tenancy.Channel, err)
	}
	return conn, nil
}

func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // it is over either way
}

// listen follows conn, and others after it, until ctx ends.
func (d *Directory) listen(ctx context.Context, conn *pgx.Conn) {
	for attempt := 0; ; {
		since := time.Now()
		err := d.follow(ctx, conn)
		d.queue.disconnect()
		hangUp(conn)
		if time.Since(since) > maxReconnect {
			attempt = 0 // it was a good connection
		}
		for {
			if ctx.Err() != nil {
				return
			}
			d.status.disconnected(err)
			d.cfg.Logger.WarnContext(ctx, "not connected to the registry; hosts are answered from memory", slog.Any("error", err))
			if !sleep(ctx, backoff(attempt, maxReconnect)) {
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

// sleep waits, and reports whether ctx is still on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// follow takes notifications from conn until it breaks or ctx ends. However many come, it asks from time to time whether
// that is all: somebody who sends them without end must not make the directory look stale.
func (d *Directory) follow(ctx context.Context, conn *pgx.Conn) error {
	for {
		if err := d.take(ctx, conn, time.Now().Add(d.cfg.KeepAlive)); err != nil {
			return err
		}
		if err := d.ping(ctx, conn); err != nil {
			return fmt.Errorf("the registry does not answer: %w", err)
		}
	}
}

// take takes notifications until then.
func (d *Directory) take(ctx context.Context, conn *pgx.Conn, until time.Time) error {
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
	// The server sends what was committed before the ping in front of its answer. That waits in conn now.
	cancel() // of what has not come
	for n, err := conn.WaitForNotification(ctx); err == nil; n, err = conn.WaitForNotification(ctx) {
		d.notified(n)
	}
	if d.queue.checked() {
		d.status.checked(start)
	}
	return nil
}

// notified asks for the tenant to be read again that a notification names. Anybody may have sent it, so it is
// believed no further than that, and not at all when it is no id.
func (d *Directory) notified(n *pgconn.Notification) {
	id, ok := tenantID(n.Payload)
	ok = ok && n.Channel == tenancy.Channel
	d.status.notified(ok)
	if ok {
		d.queue.addID(id)
	}
}

// tenantID reads an id as the registry writes it.
func tenantID(s string) (int64, bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0 && s[0] >= '1' && s[0] <= '9'
}
