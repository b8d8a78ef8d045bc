package resolver

import (
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// miss asks the registry for a host in normal form that memory does not know, if that may be asked now. What is not found
// in time is unknown: the registry may be slow or away, and memory is what there is.
func (d *Directory) miss(ctx context.Context, name string) (tenanthttp.Target, error) {
	asked := d.queue.addHost(name)
	bare, www := d.policy.bare(name)
	if asked != nil && www {
		d.queue.addHost(bare) // joins
	}
	if asked == nil {
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	}
	timeout := time.NewTimer(d.cfg.MissTimeout)
	defer timeout.Stop()
	select {
	case <-asked.done:
	case <-timeout.C:
	case <-ctx.Done():
		return tenanthttp.Target{}, fmt.Errorf("resolve host %q: %w", name, ctx.Err())
	}
	s := d.current.Load()
	for _, host := range []string{name, bare} {
		if c, ok := s.hosts[host]; ok {
			return c.target(host)
		}
	}
	return tenanthttp.Target{}, tenancy.ErrUnknownHost
}

// Refresh reads the tenants of ids again, or everything without any, and returns when what was committed before the call is
// in memory: after a sign-up, say, whose next request must find the new host. ctx governs the waiting. The error is that of
// the query, which is tried again in the background, or [ErrClosed].
func (d *Directory) Refresh(ctx context.Context, ids ...int64) error {
	waits := []*batch{}
	for _, id := range ids {
		waits = append(waits, d.queue.addID(id))
	}
	if len(ids) == 0 {
		waits = append(waits, d.queue.addAll())
	}
	for _, b := range waits {
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
