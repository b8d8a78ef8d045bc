package schemactx

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// lanes divide the connections of a DB among tenants without a fixed assignment. A tenant has a
// preferred lane. It uses another one if that is busy for longer than a short statement takes. So a
// connection serves few tenants and keeps their prepared statements, and its server process knows
// fewer tables.
type lanes struct {
	seed maphash.Seed
	list []*lane
}

// laneWait is how long a unit of work waits for its tenant's preferred lane while others are free.
// Without a wait, load would bring every tenant to every connection, which lanes are meant to
// prevent. With 16 connections for 16 callers and 1,000 tenants, as many statements had to be
// prepared as without lanes.
const laneWait = 2 * time.Millisecond

type lane struct {
	pool  *pgxpool.Pool
	slots chan struct{} // its capacity is the pool's number of connections
}

// newLanes opens n pools configured like the given one, which share its number of connections.
func newLanes(pool *pgxpool.Pool, n int) (*lanes, error) {
	cfg := pool.Config()
	total := cfg.MaxConns
	if int32(n) > total {
		return nil, errors.New("schemactx: more lanes than the pool has connections")
	}
	ls := &lanes{seed: maphash.MakeSeed()}
	for i := range int32(n) {
		c := cfg.Copy()
		c.MaxConns = total/int32(n) + min(1, max(0, total%int32(n)-i)) // the remainder goes to the first
		c.MinConns, c.MinIdleConns = min(c.MinConns, c.MaxConns), min(c.MinIdleConns, c.MaxConns)
		p, err := pgxpool.NewWithConfig(context.Background(), c)
		if err != nil {
			ls.close()
			return nil, err
		}
		ls.list = append(ls.list, &lane{pool: p, slots: make(chan struct{}, c.MaxConns)})
	}
	return ls, nil
}

// enter takes a place in the tenant's preferred lane or, if that stays busy, in another one with a
// free place. Call leave after the connection has been returned.
func (ls *lanes) enter(ctx context.Context, schema string) (*lane, error) {
	home := int(maphash.String(ls.seed, schema) % uint64(len(ls.list)))
	preferred := ls.list[home]
	if preferred.tryEnter() {
		return preferred, nil
	}
	timer := time.NewTimer(laneWait)
	defer timer.Stop()
	select {
	case preferred.slots <- struct{}{}:
		return preferred, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
	}
	for i := range ls.list {
		if l := ls.list[(home+i)%len(ls.list)]; l.tryEnter() {
			return l, nil
		}
	}
	select {
	case preferred.slots <- struct{}{}:
		return preferred, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// tryEnter takes a place if one is free.
func (l *lane) tryEnter() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// leave gives the place back. It does nothing on nil.
func (l *lane) leave() {
	if l != nil {
		<-l.slots
	}
}

// close closes the pools and waits until all connections have been returned.
func (ls *lanes) close() {
	var wg sync.WaitGroup
	for _, l := range ls.list {
		wg.Go(l.pool.Close)
	}
	wg.Wait()
}
