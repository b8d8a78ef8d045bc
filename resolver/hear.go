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

// hearTimeout is how long the directory waits for its own notification before it sends a ping.
const hearTimeout = 500 * time.Millisecond

// hear returns [ErrNotListening] unless a notification of another session arrives on conn. A pooler
// in transaction mode accepts LISTEN without an error and drops the notifications that the server
// sends later. The channel is the directory's own, so that no other directory counts it.
//
// PostgreSQL sends a session all notifications that were committed before its command, ahead of the
// command's answer. So the answer to the ping decides. The wait before the ping gives a pooler time
// to drop the notification: it could otherwise deliver it together with that answer.
func (d *Directory) hear(ctx context.Context, conn *pgx.Conn) error {
	channel := "pgtenant_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return err
	}
	if err := d.say(ctx, channel); err != nil {
		d.cfg.Logger.WarnContext(ctx, "cannot tell whether notifications of the registry arrive", slog.Any("error", err))
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, hearTimeout)
	defer cancel()
	heard, err := heardOn(wait, conn, channel)
	if err == nil && !heard {
		if err = conn.Ping(ctx); err == nil {
			cancel() // a notification that did not come before the answer does not come at all
			heard, err = heardOn(wait, conn, channel)
		}
	}
	switch {
	case err != nil:
		return err
	case !heard:
		return ErrNotListening
	}
	_, err = conn.Exec(ctx, "unlisten "+channel)
	return err
}

// say notifies channel on a second connection, which is opened like the listening one.
func (d *Directory) say(ctx context.Context, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := d.cfg.Connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	if _, err := conn.Exec(ctx, "notify "+channel); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// heardOn receives notifications until one is on the channel or ctx ends. It drops the others: the
// directory reads everything after this.
func heardOn(ctx context.Context, conn *pgx.Conn, channel string) (bool, error) {
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
