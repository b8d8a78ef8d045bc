package resolver

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/oryne/pgtenant/internal/wait"
	"github.com/oryne/pgtenant/tenancy"
)

// A pause follows each load, as a multiple of the load's duration. Every role in the database can
// send notifications; the pause limits a flood of them to a part of one connection's time. After a
// failed load the pause doubles.
const (
	partialPause = 2 // a change waits that long if another load has just ended
	fullPause    = 4
	minPause     = 10 * time.Millisecond
	firstRetry   = 100 * time.Millisecond
	maxRetry     = 5 * time.Second
)

// pacer holds when the next partial and the next full load may begin.
type pacer struct {
	partial, full time.Time
	failures      int // in a row
}

func (p *pacer) loaded(full bool, start, end time.Time) {
	p.failures = 0
	took := end.Sub(start)
	if full {
		p.full, p.partial = end.Add(max(minPause, fullPause*took)), end.Add(minPause)
	} else {
		p.partial = end.Add(max(minPause, partialPause*took))
	}
}

func (p *pacer) failed(end time.Time) {
	pause := wait.Backoff(p.failures, firstRetry, maxRetry)
	p.failures++
	p.partial, p.full = end.Add(pause), end.Add(pause)
}

// run executes the loads of the queue until ctx ends. Only this goroutine makes snapshots, one
// after the other, so no snapshot replaces a newer one.
func (d *Directory) run(ctx context.Context, b *builder) {
	reconcile := time.NewTimer(wait.Jitter(d.cfg.Reconcile, 10))
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
			reconcile.Reset(wait.Jitter(d.cfg.Reconcile, 10))
		case <-tokens.C:
			d.queue.refill()
		case <-d.queue.wake:
		case <-due.C:
		}
		next, wait := d.queue.dequeue(time.Now(), pace)
		if next == nil {
			if wait > 0 {
				due.Reset(wait)
			}
			continue
		}
		d.serve(ctx, b, next, &pace)
		due.Reset(0) // for requests that arrived during the load
	}
}

// serve executes one load and wakes the goroutines that wait for it.
func (d *Directory) serve(ctx context.Context, b *builder, next *load, pace *pacer) {
	start := time.Now()
	err := d.load(ctx, b, next)
	end := time.Now()
	if err == nil {
		pace.loaded(next.isFull(), start, end)
	} else if ctx.Err() == nil {
		pace.failed(end)
		d.cfg.Logger.WarnContext(ctx, "reading the hosts from the registry failed; trying again", slog.Any("error", err))
	}
	d.status.loaded(next.isFull(), d.queue.finish(next, err), start, err)
}

// load reads a full or a partial batch from the registry, and publishes the next snapshot.
func (d *Directory) load(ctx context.Context, b *builder, next *load) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.LoadTimeout)
	defer cancel()
	last := d.current.Load()
	var s *snapshot
	var err error
	if next.isFull() {
		s, err = b.replace(ctx, last, d.registry.Routes(ctx, tenancy.RouteFilter{}))
	} else {
		s, err = d.loadPartial(ctx, b, last, next.partial)
	}
	if err != nil {
		return err
	}
	d.conflicts.Store(int64(len(b.conflicts)))
	d.current.Store(s)
	return nil
}

func (d *Directory) loadPartial(ctx context.Context, b *builder, last *snapshot, wanted *batch) (*snapshot, error) {
	ids := slices.Collect(maps.Keys(wanted.ids))
	filter := tenancy.RouteFilter{
		IDs:   append([]int64{}, ids...), // never nil: a filter with nil IDs selects every tenant
		Hosts: slices.Collect(maps.Keys(wanted.hosts)),
		Slugs: d.policy.slugs(maps.Keys(wanted.hosts)),
	}
	var routes []tenancy.Route
	for route, err := range d.registry.Routes(ctx, filter) {
		if err != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return b.patch(ctx, last, ids, routes), nil
}
