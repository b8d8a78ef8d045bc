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

// hearTimeout is how long the directory's own notification may take on its way through what is between it and the server.
const hearTimeout = 500 * time.Millisecond

// hear returns [ErrNotListening] unless what another session notifies arrives on conn. A pooler in transaction mode takes
// LISTEN without an error and drops what the server sends later. The channel is the directory's own, so that no other
// directory counts it.
//
// A server sends a session what was committed before its command in front of the answer. So the ping settles it, and the
// wait before it only keeps a pooler from handing conn, for the ping, what has come just now.
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
			cancel() // of what has not come with its answer
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

// say notifies channel on a connection of its own, which goes the way that the listening one has gone.
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

// heardOn takes notifications until one is on the channel or ctx ends. Others are let go: everything is read after this.
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
