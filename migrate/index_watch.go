package migrate

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// makeWatch begins a watch: what was proven before does not count for it.
func makeWatch(ctx context.Context, conn schemactx.Beginner) error {
	var id string
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, makeWatchSQL, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		return tx.QueryRow(ctx, enterWatchSQL, pgx.QueryExecModeExec).Scan(&id)
	})
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, awaitedSQL, pgx.QueryExecModeExec, id)
		return err
	})
}

// ripeWatch returns the watch, or "" where there is none, or none that counts yet. It makes one, and lets it ripen.
func (x *index) ripeWatch(ctx context.Context, conn *pgxpool.Conn) string {
	if x.r.cfg.Index != WatchedIndex {
		return ""
	}
	id, ripe, err := watchState(ctx, conn)
	if errors.Is(err, pgx.ErrNoRows) {
		if err = makeWatch(ctx, conn); err == nil {
			id, ripe, err = watchState(ctx, conn)
		}
	}
	if err == nil && !ripe {
		for _, sql := range []string{endedSQL, ripeSQL} {
			if _, err = conn.Exec(ctx, sql, pgx.QueryExecModeExec); err != nil {
				break
			}
		}
		if err == nil {
			id, ripe, err = watchState(ctx, conn)
		}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = errWatchDoesNotHold
	}
	if err != nil && ctx.Err() == nil {
		x.r.cfg.Logger.WarnContext(ctx, "index of versions is not watched", slog.Any("error", err))
	}
	if err != nil || !ripe {
		return ""
	}
	return id
}

var errWatchDoesNotHold = errors.New("event triggers are switched off, or another runner began another watch just now")

func watchState(ctx context.Context, conn *pgxpool.Conn) (id string, ripe bool, err error) {
	err = conn.QueryRow(ctx, watchStateSQL, pgx.QueryExecModeExec).Scan(&id, &ripe)
	return id, ripe, err
}

// watching reports whether what is proven now is proven under a watch.
func (x *index) watching() bool { return x.underWatch() != nil }

// underWatch returns the watch as an argument.
func (x *index) underWatch() []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.watch == "" {
		return nil
	}
	return []byte(x.watch)
}
