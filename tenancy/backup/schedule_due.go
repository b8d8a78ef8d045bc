package backup

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// RunState is the stored state of one tenant's runs of one kind. Times are zero if there was no
// such event.
type RunState struct {
	TenantID   int64
	Kind       RunKind
	Schema     string
	LeaseUntil time.Time // end of the lease of a running process, or of one that died
	BegunAt    time.Time // start of the last run
	EndedAt    time.Time // end of the last run
	Failures   int       // since the last success
	Failure    string    // error of the last run; empty: it succeeded, or there was none
	Slot       time.Time // slot of the last success
	Name       string    // archive of the last success; it may have been deleted since
	TakenAt    time.Time // snapshot of that archive
	VerifiedAt time.Time // verification of that archive
}

const stateColumns = `tenant_id, kind, schema_name, lease_until, begun_at, ended_at, failures, failure,
	slot, name, taken_at, verified_at`

func scanState(row pgx.CollectableRow) (s RunState, err error) {
	var lease, ended, slot, taken, verified *time.Time
	err = row.Scan(&s.TenantID, &s.Kind, &s.Schema, &lease, &s.BegunAt, &ended, &s.Failures, &s.Failure,
		&slot, &s.Name, &taken, &verified)
	for to, from := range map[*time.Time]*time.Time{
		&s.LeaseUntil: lease, &s.EndedAt: ended, &s.Slot: slot, &s.TakenAt: taken, &s.VerifiedAt: verified,
	} {
		if from != nil {
			*to = from.UTC()
		}
	}
	return s, err
}

// States returns the stored state of all tenants' runs, ordered by tenant and kind. ctx governs the
// query.
func (c *Schedule) States(ctx context.Context) ([]RunState, error) {
	rows, err := c.s.registry.Query(ctx,
		"select "+stateColumns+" from {registry}.backup_runs order by tenant_id, kind")
	var states []RunState
	if err == nil {
		states, err = pgx.CollectRows(rows, scanState)
	}
	if err != nil {
		return nil, fmt.Errorf("read the runs of backups: %w", err)
	}
	return states, nil
}

type runKey struct {
	tenant int64
	kind   RunKind
}

// eachDue calls fn for each job that is due according to the stored states, which it reads without
// a lease. It uses the clock of the registry's server, so that processes with different clocks do
// not repeat each other's work.
func (c *Schedule) eachDue(ctx context.Context, fn func(j job) bool) error {
	now, err := c.s.readClocks(ctx)
	if err != nil {
		return err
	}
	c.s.warnClock(ctx, now.warning())
	all, err := c.States(ctx)
	if err != nil {
		return err
	}
	states := make(map[runKey]RunState, len(all))
	for _, s := range all {
		states[runKey{s.TenantID, s.Kind}] = s
	}
	filter := tenancy.Filter{Statuses: []tenancy.Status{tenancy.Active, tenancy.Suspended, tenancy.Maintenance}}
	for t, err := range c.s.cfg.Tenants.All(ctx, filter) {
		if err != nil {
			return fmt.Errorf("list tenants: %w", err)
		}
		for _, j := range c.jobs(&t, now.server, states) {
			if !fn(j) {
				return nil
			}
		}
	}
	return nil
}

// jobs returns the jobs of one tenant that are due.
func (c *Schedule) jobs(t *tenancy.Tenant, now time.Time, states map[runKey]RunState) (due []job) {
	last := states[runKey{t.ID, RunBackup}].ofRegistry(t)
	slot := slotOf(t.ID, now, c.cfg.Period, c.cfg.Start, c.cfg.Window)
	if c.isDue(last, slot, now) {
		due = append(due, job{kind: RunBackup, tenant: *t, slot: slot, warnings: c.warnings(last, now)})
	}
	if c.cfg.VerifyEvery == 0 || last.Name == "" { // the first backup is verified at the next slot
		return due
	}
	verification := states[runKey{t.ID, RunVerify}].ofRegistry(t)
	slot = slotOf(t.ID, now, c.cfg.VerifyEvery, 0, c.cfg.VerifyEvery)
	if !c.isDue(verification, slot, now) {
		return due
	}
	verify := job{kind: RunVerify, tenant: *t, slot: slot, name: last.Name, warnings: c.warnings(verification, now)}
	if len(due) > 0 {
		due[0].verify = &verify // if RunDue is called once per period, a backup is always due too
		return due
	}
	return []job{verify}
}

// isDue reports whether a slot was not done yet and may be tried. A stored slot in the future is
// ignored: a clock was wrong.
func (c *Schedule) isDue(s RunState, slot, now time.Time) bool {
	return (s.Slot.Before(slot) || ahead(s.Slot, now)) && c.retryDue(s, now)
}

// warnings returns a text for each time of a state that is in the future.
func (c *Schedule) warnings(s RunState, now time.Time) (found []string) {
	for _, m := range []struct {
		what string
		at   time.Time
		far  bool
	}{
		{"slot", s.Slot, ahead(s.Slot, now)},
		{"lease", s.LeaseUntil, s.LeaseUntil.Sub(now) > c.longestLease()},
		{"end", s.EndedAt, ahead(s.EndedAt, now)},
		{"last backup", s.TakenAt, ahead(s.TakenAt, now)},
	} {
		if m.far {
			found = append(found, fmt.Sprintf("the %s of the last run is in the future, %s: it is ignored",
				m.what, m.at.Format(time.RFC3339)))
		}
	}
	return found
}

// longestLease is the longest remaining time of a lease that a process with this configuration
// holds.
func (c *Schedule) longestLease() time.Duration { return 2*c.cfg.Lease + maxSkew }

// ofRegistry returns the state without runs of another registry, of which this database is a copy,
// and without those of an earlier release, whose names contain no registry.
func (s RunState) ofRegistry(t *tenancy.Tenant) RunState {
	if registryOf(s.Name) != t.Registry {
		s.Slot, s.Name, s.TakenAt, s.VerifiedAt = time.Time{}, "", time.Time{}, time.Time{}
	}
	return s
}

// retryDue reports whether the last failure is long enough ago.
func (c *Schedule) retryDue(s RunState, now time.Time) bool {
	if s.Failures == 0 || ahead(s.EndedAt, now) {
		return true
	}
	wait := c.cfg.Retry
	for i := 1; i < s.Failures && wait < c.cfg.Period; i++ {
		wait *= 2
	}
	return now.Sub(s.EndedAt) >= min(wait, c.cfg.Period)
}

// deleteOrphanedRuns deletes the states of tenants that no longer exist.
func (c *Schedule) deleteOrphanedRuns(ctx context.Context) error {
	_, err := c.s.registry.Exec(ctx, `delete from {registry}.backup_runs r
		where not exists (select from {registry}.tenants t where t.id = r.tenant_id)
		and (lease_until is null or lease_until < clock_timestamp()
			or lease_until > clock_timestamp() + $1 * interval '1 millisecond')`,
		c.longestLease().Milliseconds())
	if err != nil {
		return fmt.Errorf("delete the runs of dropped tenants: %w", err)
	}
	return nil
}

// slotOf returns the last time at which a tenant was due. A tenant has one slot in every period, at
// an offset in the window that begins at start. The offset is a hash of its id, so that slots are
// distributed evenly and all processes compute the same ones.
func slotOf(tenant int64, now time.Time, period, start, window time.Duration) time.Time {
	offset := start
	if window > 0 {
		offset += time.Duration(hashID(tenant) % uint64(window)).Truncate(time.Microsecond) // the database's resolution
	}
	since := now.UnixNano() - int64(offset)
	periods := since / int64(period)
	if since < 0 && since%int64(period) != 0 {
		periods--
	}
	return time.Unix(0, periods*int64(period)+int64(offset)).UTC().Truncate(time.Microsecond)
}

// hashID is FNV-1a with a finishing step of MurmurHash3, so that consecutive ids get distant
// values.
func hashID(tenant int64) uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, tenant) // writing to a hash never fails
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
