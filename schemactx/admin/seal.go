package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// SealReport says what [Seal] did.
type SealReport struct {
	Schema  string
	Role    string // of the tenant
	Actions []Action
}

// Changed reports whether a right was taken now.
func (r SealReport) Changed() bool { return changed(r.Actions) }

// Seal keeps a tenant out of its schema, which stays as it is: the tenant's role loses USAGE on it and the runtime
// login the role, so that new units of work are [schemactx.ErrNotProvisioned]; then it waits until no transaction is left that
// has written there. [Unseal] opens the schema again. owner is logged in as the owner role of [Setup].
//
// The rights go in one transaction; with an error of that, nothing has changed. Waiting goes on as long as ctx lets it,
// giving way to others every two seconds; when ctx ends the schema is sealed, and somebody may still be writing. It can
// be run again. A schema that does not exist is [schemactx.ErrSchemaMissing], one without its role [schemactx.ErrNotProvisioned]; what is
// not the owner's, or was made for another database, is [ErrTaken]; an invalid name is a [schemactx.NameError].
//
// A role that may log in ([ProvisionLogin]) goes on doing so, and can do nothing here.
func Seal(ctx context.Context, owner Beginner, roles schemactx.RoleNames, schema string) (SealReport, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return SealReport{}, err
	}
	wait := DeprovisionOptions{}.lockWait()
	report, oid, err := changeAccess(ctx, wait, owner, roles, schema, sealWishes)
	if err == nil {
		err = drain(ctx, wait, owner, schema, oid)
	}
	if err != nil {
		return report, fmt.Errorf("seal schema %q: %w", schema, err)
	}
	return report, nil
}

// Unseal opens a schema again for its tenant: it gives back what [Seal] has taken, and nothing else, so that rights that
// migrations have taken away stay so. The errors are those of Seal, and with one nothing has changed. It can be run again.
func Unseal(ctx context.Context, owner Beginner, roles schemactx.RoleNames, schema string) (SealReport, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return SealReport{}, err
	}
	report, _, err := changeAccess(ctx, DeprovisionOptions{}.lockWait(), owner, roles, schema, unsealWishes)
	if err != nil {
		return report, fmt.Errorf("unseal schema %q: %w", schema, err)
	}
	return report, nil
}

// changeAccess makes wishes true of a schema of ours, and returns its OID.
func changeAccess(
	ctx context.Context, wait lockWait, owner Beginner, roles schemactx.RoleNames, schema string,
	wishesOf func(roles schemactx.RoleNames, schema string, st tenantState, version int) ([]wish, error),
) (report SealReport, oid uint32, err error) {
	report = SealReport{Schema: schema, Role: roles.Tenant(schema)}
	err = wait.run(ctx, owner, func(tx pgx.Tx) error {
		st, err := readTenant(ctx, tx, roles, schema)
		switch {
		case err != nil:
			return err
		case st.schema == 0:
			return schemactx.ErrSchemaMissing
		}
		oid = st.schema
		if err := st.complete(roles, schema); err != nil {
			return err
		}
		wishes, err := wishesOf(roles, schema, st, version(tx))
		if err != nil {
			return err
		}
		report.Actions, err = fulfil(ctx, tx, wishes)
		return err
	})
	return report, oid, err
}

func sealWishes(roles schemactx.RoleNames, schema string, st tenantState, _ int) ([]wish, error) {
	role, err := schemactx.QuoteName(roles.Tenant(schema))
	if err != nil {
		return nil, err
	}
	runtime, err := schemactx.QuoteName(roles.Runtime())
	if err != nil {
		return nil, err
	}
	quoted, err := schemactx.QuoteName(schema)
	return []wish{
		{sql: []string{"revoke " + role + " from " + runtime}, so: !st.role.joined},
		{sql: []string{"revoke all on schema " + quoted + " from " + role}, so: !st.usage},
	}, err
}

func unsealWishes(roles schemactx.RoleNames, schema string, st tenantState, version int) ([]wish, error) {
	join, err := wishMember(roles.Tenant(schema), roles.Runtime(), st.role, version)
	if err != nil {
		return nil, err
	}
	role, err := schemactx.QuoteName(roles.Tenant(schema))
	if err != nil {
		return nil, err
	}
	quoted, err := schemactx.QuoteName(schema)
	return []wish{join, {sql: []string{"grant usage on schema " + quoted + " to " + role}, so: st.usage}}, err
}

// drain waits for those who have written to tables of the schema: SHARE is what writers are in the way of. A batch at
// a time: nobody can begin to write any more, and the server has no room for the locks of any number of tables.
func drain(ctx context.Context, wait lockWait, owner Beginner, schema string, oid uint32) error {
	var oids []uint32
	err := wait.run(ctx, owner, func(tx pgx.Tx) (err error) {
		oids, err = relationsOf(ctx, tx, oid)
		return err
	})
	if err != nil {
		return err
	}
	d := deprovision{schema: schema}
	for batch := range slices.Chunk(oids, defaultBatchSize) {
		err := wait.run(ctx, owner, func(tx pgx.Tx) error {
			relations, err := d.namesOf(ctx, tx, oid, batch)
			if err != nil {
				return err
			}
			if lock := lockStatement(relations, "share"); lock != "" {
				return execAll(ctx, tx, lock)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
