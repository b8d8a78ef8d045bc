package resolver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// verifyTimeout is how long the directory waits for its own notification before it sends a ping.
const verifyTimeout = 500 * time.Millisecond

// verify returns [ErrNotListening] unless a notification of another session arrives on conn. A
// pooler in transaction mode accepts LISTEN without an error and drops the notifications that the
// server sends later. The channel has a random name, so that no other directory counts the
// notification.
//
// PostgreSQL sends a session all notifications that were committed before its command, ahead of the
// command's answer. So the answer to the ping decides. The wait before the ping gives a pooler time
// to drop the notification: it could otherwise deliver it together with that answer.
func (d *Directory) verify(ctx context.Context, conn *pgx.Conn) error {
	channel := "pgtenant_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return err
	}
	if err := d.notify(ctx, channel); err != nil {
		d.cfg.Logger.WarnContext(ctx, "cannot tell whether notifications of the registry arrive", slog.Any("error", err))
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	received, err := receivedOn(wait, conn, channel)
	if err == nil && !received {
		if err = conn.Ping(ctx); err == nil {
			cancel() // a notification that did not come before the answer does not come at all
			received, err = receivedOn(wait, conn, channel)
		}
	}
	switch {
	case err != nil:
		return err
	case !received:
		return ErrNotListening
	}
	_, err = conn.Exec(ctx, "unlisten "+channel)
	return err
}

// notify notifies channel on a second connection, which is opened like the listening one.
func (d *Directory) notify(ctx context.Context, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := d.cfg.Connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	if _, err := conn.Exec(ctx, "notify "+channel); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// receivedOn receives notifications until one is on the channel or ctx ends. It drops the others:
// the directory reads everything after this.
func receivedOn(ctx context.Context, conn *pgx.Conn, channel string) (bool, error) {
	for {
		n, err := conn.WaitForNotification(ctx)
		switch {
		case err == nil && n.Channel == channel:
			return true, nil
		case err == nil:
		case ctx.Err() != nil && !conn.IsClosed() && (pgconn.Timeout(err) || errors.Is(err, context.Canceled)):
			return false, nil
		default:
			return false, err
		}
	}
}
