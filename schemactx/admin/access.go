package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// AccessReport says what [RevokeAccess] or [RestoreAccess] did.
type AccessReport struct {
	Schema  string
	Role    string // of the tenant
	Actions []Action
}

// Changed reports whether this run changed a privilege.
func (r AccessReport) Changed() bool { return changed(r.Actions) }

// RevokeAccess takes a tenant's access to its schema and leaves the schema as it is. The tenant's
// role loses USAGE on the schema, and the runtime login loses its membership in the role. New units
// of work then fail with [schemactx.ErrNotProvisioned]. RevokeAccess returns when no transaction is
// left that has written to the schema. [RestoreAccess] gives the access back. owner is logged in as
// the owner role of [Setup].
//
// The privileges change in one transaction. If that fails, nothing has changed. The wait for
// writers lasts until ctx ends; every two seconds it releases its place in the lock queue. If ctx
// ends first, the access is revoked and a transaction may still be writing. RevokeAccess can be run
// again.
//
// The error is
//
//   - [schemactx.ErrSchemaMissing] for a schema that does not exist
//   - [schemactx.ErrNotProvisioned] for a schema without its role
//   - [ErrTaken] for a schema or role that belongs to another owner or database
//   - [schemactx.NameError] for an invalid name
//
// A role with LOGIN ([ProvisionLogin]) can still log in, but has no privileges in the schema.
func RevokeAccess(ctx context.Context, owner Beginner, roles schemactx.RoleNames, schema string) (AccessReport, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return AccessReport{}, err
	}
	wait := DeprovisionOptions{}.lockWait()
	report, oid, err := changeAccess(ctx, wait, owner, roles, schema, revokeChanges)
	if err == nil {
		err = drain(ctx, wait, owner, schema, oid)
	}
	if err != nil {
		return report, fmt.Errorf("revoke access to schema %q: %w", schema, err)
	}
	return report, nil
}

// RestoreAccess gives back the privileges that [RevokeAccess] took, and no others: privileges that
// migrations have revoked stay revoked. It is one transaction, which ctx governs, and can be run
// again. It returns the errors of RevokeAccess; after an error nothing has changed.
func RestoreAccess(
	ctx context.Context,
	owner Beginner,
	roles schemactx.RoleNames,
	schema string,
) (AccessReport, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return AccessReport{}, err
	}
	report, _, err := changeAccess(ctx, DeprovisionOptions{}.lockWait(), owner, roles, schema, restoreChanges)
	if err != nil {
		return report, fmt.Errorf("restore access to schema %q: %w", schema, err)
	}
	return report, nil
}

// changeAccess checks that owner may change the schema, and applies the changes that changesOf
// returns in one transaction. It returns the OID of the schema.
func changeAccess(
	ctx context.Context, wait lockWait, owner Beginner, roles schemactx.RoleNames, schema string,
	changesOf func(roles schemactx.RoleNames, schema string, st tenantState, version int) ([]change, error),
) (report AccessReport, oid uint32, err error) {
	report = AccessReport{Schema: schema, Role: roles.Tenant(schema)}
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
		changes, err := changesOf(roles, schema, st, version(tx))
		if err != nil {
			return err
		}
		report.Actions, err = applyChanges(ctx, tx, changes)
		return err
	})
	return report, oid, err
}

func revokeChanges(roles schemactx.RoleNames, schema string, st tenantState, _ int) ([]change, error) {
	role, err := schemactx.QuoteName(roles.Tenant(schema))
	if err != nil {
		return nil, err
	}
	runtime, err := schemactx.QuoteName(roles.Runtime())
	if err != nil {
		return nil, err
	}
	quoted, err := schemactx.QuoteName(schema)
	return []change{
		{sql: []string{"revoke " + role + " from " + runtime}, done: !st.role.joined},
		{sql: []string{"revoke all on schema " + quoted + " from " + role}, done: !st.usage},
	}, err
}

func restoreChanges(roles schemactx.RoleNames, schema string, st tenantState, version int) ([]change, error) {
	join, err := memberChange(roles.Tenant(schema), roles.Runtime(), st.role, version)
	if err != nil {
		return nil, err
	}
	role, err := schemactx.QuoteName(roles.Tenant(schema))
	if err != nil {
		return nil, err
	}
	quoted, err := schemactx.QuoteName(schema)
	return []change{join, {sql: []string{"grant usage on schema " + quoted + " to " + role}, done: st.usage}}, err
}

// drain waits until no transaction is left that has written to a table of the schema. It locks the
// tables in SHARE mode, which conflicts with the locks of writers. It locks a batch of tables at a
// time, because the lock table of the server is limited. New writers cannot begin, because the
// access is revoked.
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
