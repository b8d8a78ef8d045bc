package resolver

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// A load is followed by a pause of a multiple of what it took, so that a flood of notifications, which anybody in the
// database can send, costs a part of one connection's time and no more. After a load that failed the pause doubles.
const (
	partialPause = 2 // times what it took: a change waits for it when others came just before
	fullPause    = 4
	minPause     = 10 * time.Millisecond
	maxRetry     = 5 * time.Second
)

// pacer says when the next loads may begin.
type pacer struct {
	some, all time.Time
	failures  int // in a row
}

func (p *pacer) loaded(full bool, start, end time.Time) {
	p.failures = 0
	took := end.Sub(start)
	if full {
		p.all, p.some = end.Add(max(minPause, fullPause*took)), end.Add(minPause)
	} else {
		p.some = end.Add(max(minPause, partialPause*took))
	}
}

func (p *pacer) failed(end time.Time) {
	wait := backoff(p.failures, maxRetry)
	p.failures++
	p.some, p.all = end.Add(wait), end.Add(wait)
}

// backoff doubles from 100 milliseconds to limit, and takes a random half of it away, so that processes do not come all at
// once.
func backoff(attempt int, limit time.Duration) time.Duration {
	return jitter(min(limit, 100*time.Millisecond<<min(attempt, 10)), 2)
}

// jitter returns d less a random part of at most its n-th.
func jitter(d time.Duration, n int64) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/n+1))
}

// run loads what the queue asks for, until ctx ends. It alone makes snapshots: of two loads the later one has also read
// later, and none overwrites what is newer.
func (d *Directory) run(ctx context.Context, w *writer) {
	reconcile := time.NewTimer(jitter(d.cfg.Reconcile, 10))
	defer reconcile.Stop()
	tokens := time.NewTicker(d.cfg.MissInterval)
	defer tokens.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	var pace pacer
	for {
		select {
		case <-ctx.Done():
			return
		case <-reconcile.C:
			d.queue.addAll()
			reconcile.Reset(jitter(d.cfg.Reconcile, 10))
		case <-tokens.C:
			d.queue.refill()
		case <-d.queue.wake:
		case <-due.C:
		}
		next, wait := d.queue.take(time.Now(), pace)
		if next == nil {
			if wait > 0 {
				due.Reset(wait)
			}
			continue
		}
		d.serve(ctx, w, next, &pace)
		due.Reset(0) // for what came in meanwhile
	}
}

// serve does one load and tells those who wait for it.
func (d *Directory) serve(ctx context.Context, w *writer, next *load, pace *pacer) {
	start := time.Now()
	err := d.load(ctx, w, next)
	end := time.Now()
	if err == nil {
		pace.loaded(next.full(), start, end)
	} else if ctx.Err() == nil {
		pace.failed(end)
		d.cfg.Logger.WarnContext(ctx, "hosts not read from the registry", slog.Any("error", err))
	}
	d.status.loaded(next.full(), d.queue.finish(next, err), start, err)
}

// load reads what is asked for, and swaps the snapshot.
func (d *Directory) load(ctx context.Context, w *writer, what *load) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.LoadTimeout)
	defer cancel()
	last := d.current.Load()
	var next *snapshot
	if what.full() {
		var err error
		if next, err = w.replace(ctx, last, d.registry.Routes(ctx, tenancy.RouteFilter{})); err != nil {
			return err
		}
	} else {
		ids := slices.Collect(maps.Keys(what.some.ids))
		// Empty, but never nil: nothing but nil means all.
		filter := tenancy.RouteFilter{
			IDs: append([]int64{}, ids...), Hosts: slices.Collect(maps.Keys(what.some.hosts)), Slugs: d.policy.slugs(maps.Keys(what.some.hosts)),
		}
		var routes []tenancy.Route
		for route, err := range d.registry.Routes(ctx, filter) {
			if err != nil {
				return err
			}
			routes = append(routes, route)
		}
		next = w.patch(ctx, last, ids, routes)
	}
	d.disputed.Store(int64(len(w.disputed)))
	d.current.Store(next)
	return nil
}
