package resolver

import (
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// resolveMiss asks the registry for a host in normal form that is not in memory, if a query is
// allowed now. A host that is not found in time is unknown: the registry may be slow or
// unreachable.
func (d *Directory) resolveMiss(ctx context.Context, name string) (tenanthttp.Target, error) {
	waiting := d.queue.addHost(name)
	bare, hasBare := d.policy.bare(name)
	if waiting != nil && hasBare {
		d.queue.addHost(bare) // joins the same batch
	}
	if waiting == nil {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	timeout := time.NewTimer(d.cfg.MissTimeout)
	defer timeout.Stop()
	select {
	case <-waiting.done:
	case <-timeout.C:
	case <-ctx.Done():
		return tenanthttp.Target{}, fmt.Errorf("resolve host %q: %w", name, ctx.Err())
	}
	s := d.current.Load()
	for _, host := range []string{name, bare} {
		if o, ok := s.hosts[host]; ok {
			return o.target(host)
		}
	}
	return tenanthttp.Target{}, tenancy.ErrUnknownHost
}

// Refresh reads the tenants with ids again, or the whole registry if there are none. It returns
// when everything committed before the call is in memory. Call it after a sign-up, for example, if
// the next request must find the new host. ctx governs only the wait. The error is that of the
// query, which is tried again in the background, or [ErrClosed].
func (d *Directory) Refresh(ctx context.Context, ids ...int64) error {
	batches := []*batch{}
	for _, id := range ids {
		batches = append(batches, d.queue.addID(id))
	}
	if len(ids) == 0 {
		batches = append(batches, d.queue.addAll())
	}
	for _, b := range batches {
		select {
		case <-b.done:
			if b.err != nil {
				return fmt.Errorf("refresh: %w", b.err)
			}
		case <-ctx.Done():
			return fmt.Errorf("refresh: %w", ctx.Err())
		}
	}
	return nil
}
