package admin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/postgres"
	"github.com/oryne/pgtenant/internal/sqlstate"
)

// The pause between two attempts to get a lock begins with firstPause and doubles up to lastPause.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// lockWait says how long transactions wait for locks that other sessions hold.
type lockWait struct {
	lockTimeout time.Duration
	maxRetries  int // 0: until ctx ends
}

// run runs fn in a transaction. It runs fn again in a new transaction if a lock was not available
// in time or the server found a deadlock. Between two attempts it holds no lock: a session that
// waits for an ACCESS EXCLUSIVE lock makes all sessions behind it wait.
func (w lockWait) run(ctx context.Context, owner beginner, fn func(tx pgx.Tx) error) error {
	for try, pause := 0, firstPause; ; try++ {
		err := pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
			if err := execAll(ctx, tx, "set local lock_timeout = "+postgres.Milliseconds(w.lockTimeout)); err != nil {
				return err
			}
			return fn(tx)
		})
		if !sqlstate.Is(err, sqlstate.LockNotAvailable) && !sqlstate.Is(err, sqlstate.Deadlock) ||
			w.maxRetries > 0 && try >= w.maxRetries {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): // random, so that runs do not retry in step
		case <-ctx.Done():
			return fmt.Errorf("%w, waiting for a lock: %w", context.Cause(ctx), err)
		}
		pause = min(2*pause, lastPause)
	}
}
