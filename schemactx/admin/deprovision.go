package admin

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// DeprovisionOptions say how [Deprovision] works. The zero value is ready.
type DeprovisionOptions struct {
	// BatchSize is how many tables, views and sequences one transaction drops. Each takes a lock on
	// the table and one on everything about it, 15 or 20 for a plain one, and all sessions of the
	// server share room for some 13,000 by default (max_locks_per_transaction): 42 tenants of
	// 20 tables in one transaction are too many for it. Default: 50, which takes about
	// a fifteenth of that room.
	BatchSize int

	// LockTimeout is how long a statement waits for a lock before it lets those go ahead who wait
	// behind it, and tries again later, rounded up to milliseconds. Tables that tables
	// of the tenant reference are locked too, shared ones among them. Default: 2 seconds.
	LockTimeout time.Duration

	// MaxRetries is how often one transaction is tried again after LockTimeout or a deadlock.
	// Default: 0, until the context ends.
	MaxRetries int
}

func (o DeprovisionOptions) validate() error {
	switch {
	case o.BatchSize < 0:
		return fmt.Errorf("BatchSize %d is negative", o.BatchSize)
	case o.LockTimeout < 0:
		return fmt.Errorf("LockTimeout %s is negative", o.LockTimeout)
	case o.MaxRetries < 0:
		return fmt.Errorf("MaxRetries %d is negative", o.MaxRetries)
	}
	return nil
}

func (o DeprovisionOptions) lockWait() lockWait {
	return lockWait{lockTimeout: cmp.Or(o.LockTimeout, defaultLockTimeout), maxRetries: o.MaxRetries}
}

const (
	defaultBatchSize   = 50
	defaultLockTimeout = 2 * time.Second
)

// DeprovisionReport says what [Deprovision] did. There are no actions where there was nothing left.
type DeprovisionReport struct {
	Schema    string
	Role      string   // of the tenant
	Relations int      // tables, views and sequences that were dropped one by one
	Actions   []Action // access, relations, schema, role
}

// Changed reports whether anything was changed now.
func (r DeprovisionReport) Changed() bool { return changed(r.Actions) }

// Deprovision removes a tenant: its schema with all that is in it, for good, and its role. owner is
// a pool or a connection that is logged in as the owner role of [Setup].
//
// First, in a transaction of its own, the tenant's role loses its rights on the schema, its login
// and the runtime login as a member, so that nobody enters: new units of work are
// [schemactx.ErrNotProvisioned]. A statement that runs is waited for; a transaction keeps its
// tables until it ends, and its next statement may be refused. Then tables, views and sequences are
// dropped in batches, each in a transaction of its own, as thousands at once would need more locks
// than the server has; then the schema with the rest; then the role, with every right that the
// owner has given it. Sessions that tenants have opened at level [schemactx.Logins] stay open,
// without rights: see [schemactx.DB.Refresh].
//
// Nothing outside of the schema is ever dropped. Where something there depends on the schema, such
// as a view or a foreign key, the error is a [DependentsError] and nothing has changed; this is
// looked at again in each transaction. An invalid name is a [schemactx.NameError]; a schema that
// the owner does not own, and a role that was made for another database, are [ErrTaken]; a schema
// without its role is no tenant's, [schemactx.ErrNotProvisioned]: [Provision] makes the role.
// Nothing has changed then either.
//
// With any other error, or when ctx ends, the report says what has been done, and the tenant stays
// locked out. Deprovision can be run again, and goes on where it ended, also after a crash. What is
// gone already is success, with no actions. A right that somebody else gave to the role keeps it
// from being dropped, and the error names it. Calls for one tenant at the same time may fail, but
// do no harm.
func Deprovision(
	ctx context.Context,
	owner Beginner,
	roles schemactx.RoleNames,
	schema string,
	opts DeprovisionOptions,
) (DeprovisionReport, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return DeprovisionReport{}, err
	}
	d := deprovision{
		owner: owner, roles: roles, schema: schema, opts: opts,
		report: DeprovisionReport{Schema: schema, Role: roles.Tenant(schema)},
	}
	if err := d.run(ctx); err != nil {
		return d.report, fmt.Errorf("deprovision schema %q: %w", schema, err)
	}
	return d.report, nil
}
