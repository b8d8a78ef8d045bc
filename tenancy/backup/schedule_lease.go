package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrLeaseLost is the error of a scheduled run whose process could not renew its lease. Another
// process may work on the tenant now.
var ErrLeaseLost = errors.New("lease of the tenant's backup was lost")

// lease is the right to work on a tenant while it is renewed. It is stored in a row. Unlike an
// advisory lock of a session, it holds no connection and works through a pooler.
type lease struct {
	c       *Schedule
	job     job
	holder  [16]byte
	cancel  context.CancelCauseFunc
	stopped chan struct{}
}

// acquire acquires the lease of a job that is still due. If two processes try at once, the row's
// lock decides which one gets it.
func (c *Schedule) acquire(ctx context.Context, j job) (*lease, bool, error) {
	l := &lease{c: c, job: j}
	_, _ = rand.Read(l.holder[:]) // never fails
	tag, err := c.s.registry.Exec(ctx, `insert into {registry}.backup_runs as r
			(tenant_id, kind, schema_name, holder, lease_until, begun_at)
		values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond', clock_timestamp())
		on conflict (tenant_id, kind) do update
			set schema_name = excluded.schema_name, holder = excluded.holder,
				lease_until = excluded.lease_until, begun_at = excluded.begun_at
			where (r.lease_until is null or r.lease_until < clock_timestamp()
				or r.lease_until > clock_timestamp() + $8 * interval '1 millisecond')
			and (r.slot is null or r.slot < $6 or not starts_with(r.name, $7)
				or r.slot > clock_timestamp() + $9 * interval '1 millisecond')`,
		j.tenant.ID, string(j.kind), j.tenant.Schema, l.holder, c.cfg.Lease.Milliseconds(), j.slot,
		registryPrefix(j.tenant.Registry), c.longestLease().Milliseconds(), maxSkew.Milliseconds())
	if err != nil {
		return nil, false, fmt.Errorf("acquire the lease of the %s of tenant %q: %w", j.kind, j.tenant.Slug, err)
	}
	return l, tag.RowsAffected() == 1, nil
}

// start renews the lease until stop is called. The returned context ends with [ErrLeaseLost] if the
// lease could not be renewed for half of its time, or if another process holds it.
func (l *lease) start(ctx context.Context) (inside context.Context, stop func()) {
	inside, l.cancel = context.WithCancelCause(ctx)
	l.stopped = make(chan struct{})
	go l.renew(inside)
	return inside, func() {
		l.cancel(nil)
		<-l.stopped
	}
}

func (l *lease) renew(ctx context.Context) {
	defer close(l.stopped)
	tick := time.NewTicker(l.c.cfg.Lease / 4)
	defer tick.Stop()
	renewedAt := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		sentAt := time.Now()
		within, cancel := context.WithTimeout(ctx, l.c.cfg.Lease/4)
		tag, err := l.c.s.registry.Exec(within, `update {registry}.backup_runs
			set lease_until = clock_timestamp() + $4 * interval '1 millisecond'
			where tenant_id = $1 and kind = $2 and holder = $3`,
			l.job.tenant.ID, string(l.job.kind), l.holder, l.c.cfg.Lease.Milliseconds())
		cancel()
		switch {
		case err == nil && tag.RowsAffected() == 1:
			renewedAt = sentAt
		case err == nil, time.Since(renewedAt) > l.c.cfg.Lease/2:
			l.cancel(ErrLeaseLost)
			return
		}
	}
}

// release gives the lease back and stores the result: info if there is a verified archive, err if a
// step failed. If the program is stopped, the run does not count as a failure.
func (l *lease) release(ctx context.Context, info Info, err error) error {
	failed, text := 0, ""
	if err != nil && ctx.Err() == nil {
		failed, text = 1, failureText(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	succeeded := info.Name != ""
	tag, errEnd := l.c.s.registry.Exec(ctx, `update {registry}.backup_runs
		set holder = null, lease_until = null, ended_at = clock_timestamp(),
			failures = case when $4 then 0 else failures + $5 end, failure = $6,
			slot = case when $4 then $7 else slot end, name = case when $4 then $8 else name end,
			taken_at = case when $4 then $9 else taken_at end, verified_at = case when $4 then $10 else verified_at end
		where tenant_id = $1 and kind = $2 and holder = $3`,
		l.job.tenant.ID, string(l.job.kind), l.holder, succeeded, failed, text,
		l.job.slot, info.Name, info.TakenAt, info.VerifiedAt)
	switch {
	case errEnd != nil:
		return fmt.Errorf("release the lease: %w", errEnd)
	case tag.RowsAffected() == 0:
		return ErrLeaseLost
	}
	return nil
}

// failureText returns an error as text that the registry can store.
func failureText(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "?"), "\x00", "?")
	if runes := []rune(text); len(runes) > 2000 {
		text = string(runes[:2000])
	}
	return text
}

// lastVerified returns the archive of the tenant that was last verified by a restore, or an empty
// string.
func (c *Schedule) lastVerified(ctx context.Context, tenant int64) (name string, err error) {
	err = c.s.registry.QueryRow(ctx,
		"select name from {registry}.backup_runs where tenant_id = $1 and kind = 'verify'", tenant).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return name, err
}
