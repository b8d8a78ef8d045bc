package admin

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// DeprovisionOptions say how [Deprovision] works. The zero value is valid.
type DeprovisionOptions struct {
	// BatchSize is the number of tables, views and sequences that one transaction drops. Dropping one
	// takes a lock on it and one on every object that belongs to it, 15 or 20 for a plain table. All
	// sessions of the server share room for some 13,000 locks by default (max_locks_per_transaction).
	// 42 tenants of 20 tables in one transaction need more. Default: 50, which takes about a fifteenth
	// of that room.
	BatchSize int

	// LockTimeout is how long a statement waits for a lock. After that the transaction ends, so that
	// the sessions that wait behind it go ahead, and is tried again later. Tables that the tenant's
	// tables reference are locked too, including shared tables. It is rounded up to milliseconds.
	// Default: 2 seconds.
	LockTimeout time.Duration

	// MaxRetries is how often one transaction is tried again after LockTimeout or a deadlock. Default:
	// 0, which means until ctx ends.
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

// DeprovisionReport says what [Deprovision] did. It has no actions if nothing of the tenant was
// left.
type DeprovisionReport struct {
	Schema    string
	Role      string   // the name of the tenant's role
	Relations int      // the number of tables, views and sequences that were dropped in batches
	Actions   []Action // in this order: access, relations, schema, role
}

// Changed reports whether this run changed anything.
func (r DeprovisionReport) Changed() bool { return changed(r.Actions) }

// Deprovision permanently removes a tenant: its schema with all objects in it, and its role. owner
// is a pool or a connection that is logged in as the owner role of [Setup].
//
// It works in these steps:
//
//   - One transaction revokes the access: the tenant's role loses its privileges on the schema and
//     LOGIN, and the runtime login loses its membership in the role. New units of work then fail
//     with [schemactx.ErrNotProvisioned]. Deprovision waits for a statement that runs. A
//     transaction keeps its tables until it ends, and its next statement may be refused.
//   - Tables, views and sequences are dropped in batches, each in its own transaction. Dropping
//     thousands at once would need more locks than the server has.
//   - The schema is dropped with the rest of its objects.
//   - The role is dropped, with every privilege that the owner has granted to it.
//
// Sessions that tenants have opened at level [schemactx.Logins] stay open, without privileges: see
// [schemactx.DB.Refresh].
//
// Deprovision never drops an object outside of the schema. If such an object depends on the schema,
// for example a view or a foreign key, the error is a [DependentsError] and nothing has changed.
// Each transaction checks this again: if a later one finds such an object, the report says what has
// been done until then. Nothing has changed either if the error is
//
//   - a [schemactx.NameError] for an invalid name
//   - [ErrTaken] for a schema that the owner does not own, or a role that was made for another
//     database
//   - [schemactx.ErrNotProvisioned] for a schema without its role, which is not a tenant's:
//     [Provision] makes the role
//
// After any other error, or when ctx ends, the report says what has been done, and the access stays
// revoked. Deprovision can be run again, also after a crash, and continues where it ended. If
// nothing is left of the tenant, it succeeds with no actions. A privilege that a role other than
// the owner granted to the tenant's role prevents the drop of that role, and the error names the
// privilege. Concurrent calls for one tenant may fail, but do no harm.
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
