package admin

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// RenameReport says what [Rename] did.
type RenameReport struct {
	Schema  string // the new name
	Role    string // the new name of the tenant's role
	Actions []Action
}

// Changed reports whether this run renamed anything.
func (r RenameReport) Changed() bool { return changed(r.Actions) }

// Rename renames a tenant's schema, and its role to the name that goes with the new one.
// Privileges, memberships, comments and data stay with them. owner is logged in as the owner role
// of [Setup].
//
// Rename is one transaction, which ctx governs. It locks no table and does not wait for statements
// of the tenant: statements that run continue, and the tenant's next one under the old name fails
// with [schemactx.ErrSchemaMissing]. Rename waits up to two seconds for locks that other sessions
// hold, and tries again until ctx ends. After an error nothing has changed.
//
// It can be run again: if only the new name exists, with its role, the report says that nothing had
// to be renamed. The error is
//
//   - [ErrTaken] if both schemas or the role of the new name exist, the owner does not own the
//     schema, or the role was made for another database
//   - [schemactx.ErrSchemaMissing] if neither schema exists
//   - [schemactx.ErrNotProvisioned] for a schema without its role
//   - a [schemactx.NameError] for an invalid name, or if both names are equal
//
// Texts with the old name break: functions with SET search_path, bodies of functions that are
// strings, queries of programs. [CheckRename] finds those in the database.
// [schemactx.LoginPassword] derives the password from the role's name: at level [schemactx.Logins]
// run [ProvisionLogin] for the new name, and [schemactx.DB.Refresh] for the old one. (The server
// clears an MD5 password, because the name of the role is its salt; the SCRAM verifiers of this
// package stay.)
func Rename(ctx context.Context, owner Beginner, roles schemactx.RoleNames, from, to string) (RenameReport, error) {
	return rename(ctx, owner, roles, from, to)
}

// RenameTx is [Rename] in a savepoint of the caller's transaction, in which the program can change
// its own record of the name. RenameTx sets the lock_timeout of that transaction.
func RenameTx(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, from, to string) (RenameReport, error) {
	if err := expectPlain(tx); err != nil {
		return RenameReport{}, err
	}
	return rename(ctx, tx, roles, from, to)
}

func rename(
	ctx context.Context, owner beginner, roles schemactx.RoleNames, from, to string,
) (RenameReport, error) {
	if err := cmp.Or(schemactx.ValidateName(from), roles.ValidateSchema(to)); err != nil {
		return RenameReport{}, err
	}
	if from == to {
		return RenameReport{}, &schemactx.NameError{Name: to, Rule: "is the one it has"}
	}
	report := RenameReport{Schema: to, Role: roles.Tenant(to)}
	err := DeprovisionOptions{}.lockWait().run(ctx, owner, func(tx pgx.Tx) error {
		changes, err := renameChanges(ctx, tx, roles, from, to)
		if err != nil {
			return err
		}
		report.Actions, err = applyChanges(ctx, tx, changes)
		return err
	})
	if err != nil {
		return RenameReport{}, fmt.Errorf("rename schema %q to %q: %w", from, to, err)
	}
	return report, nil
}

func renameChanges(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, from, to string) ([]change, error) {
	before, err := readTenant(ctx, tx, roles, from)
	if err != nil {
		return nil, err
	}
	after, err := readTenant(ctx, tx, roles, to)
	if err != nil {
		return nil, err
	}
	already := before.schema == 0
	switch {
	case already && after.schema == 0:
		return nil, fmt.Errorf("neither is there: %w", schemactx.ErrSchemaMissing)
	case already:
		err = after.complete(roles, to)
	case after.schema != 0:
		err = fmt.Errorf("schema %q exists as well: %w", to, ErrTaken)
	case after.role.exists:
		err = fmt.Errorf("role %q exists: %w", roles.Tenant(to), ErrTaken)
	default:
		err = before.complete(roles, from)
	}
	if err != nil {
		return nil, err
	}
	schema, err := renameChange("schema", from, to, already)
	if err != nil {
		return nil, err
	}
	role, err := renameChange("role", roles.Tenant(from), roles.Tenant(to), already)
	return []change{schema, role}, err
}

func renameChange(kind, from, to string, already bool) (change, error) {
	quotedFrom, err := schemactx.QuoteName(from)
	if err != nil {
		return change{}, err
	}
	quotedTo, err := schemactx.QuoteName(to)
	return change{sql: []string{"alter " + kind + " " + quotedFrom + " rename to " + quotedTo}, done: already}, err
}

// complete returns an error unless the schema belongs to the current role, and its role exists and
// was made for this database.
func (st tenantState) complete(roles schemactx.RoleNames, schema string) error {
	role := roles.Tenant(schema)
	switch err := st.role.madeFor(role, st.database); {
	case err != nil:
		return err
	case !st.mine:
		return fmt.Errorf("schema %q belongs to another role: %w", schema, ErrTaken)
	case !st.role.exists:
		return fmt.Errorf("role %q does not exist: %w", role, schemactx.ErrNotProvisioned)
	}
	return nil
}
