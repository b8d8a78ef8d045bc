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

// The pauses between two tries for a lock: they begin with the first and double up to the second.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// lockWait is how long transactions wait for what others have locked.
type lockWait struct {
	lockTimeout time.Duration
	maxRetries  int // 0: until the context ends
}

// run runs fn in a transaction, and again when it could not have a lock in time or met a
// deadlock. It gives up the locks that it has in between: who waits for AccessExclusive keeps
// everybody else waiting behind it.
func (w lockWait) run(ctx context.Context, owner Beginner, fn func(tx pgx.Tx) error) error {
	for try, pause := 0, firstPause; ; try++ {
		err := beginFunc(ctx, owner, func(tx pgx.Tx) error {
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
		case <-time.After(pause/2 + rand.N(pause)): // not in step with another one
		case <-ctx.Done():
			return fmt.Errorf("%w, waiting for a lock: %w", context.Cause(ctx), err)
		}
		pause = min(2*pause, lastPause)
	}
}
