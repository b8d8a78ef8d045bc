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

// Changed reports whether anything was renamed now.
func (r RenameReport) Changed() bool { return changed(r.Actions) }

// Rename gives a tenant's schema another name, and its role the one that goes with it; rights,
// memberships, comments and data stay with them. owner is logged in as the owner role of [Setup].
//
// It is one transaction, which ctx governs. It locks no table and waits for no statement of the
// tenant: those that run go on, and the tenant's next one under the old name is
// [schemactx.ErrSchemaMissing]. It waits up to two seconds for what others have locked, and tries
// again until ctx ends. As owner can be a [pgx.Tx], the program's own record of the name can change
// in the same transaction, whose lock_timeout is then set. With an error nothing has changed.
//
// It can be run again: when only the new name is there, with its role, the report says that it was
// so already. Both names in use, or the new role's, and what is not the owner's or was made for
// another database, are [ErrTaken]; neither of them is [schemactx.ErrSchemaMissing]; a schema
// without its role is [schemactx.ErrNotProvisioned]; an invalid name, and the old one as the new
// one, is a [schemactx.NameError].
//
// What has the old name in text breaks: functions with SET search_path, bodies of functions that
// are strings, queries of programs. [CheckRename] finds what the database has of these.
// [schemactx.LoginPassword] derives the password from the role's name: at level [schemactx.Logins]
// run [ProvisionLogin] for the new name, and [schemactx.DB.Refresh] the old one. (The server clears
// an MD5 password with the name that salts it; the SCRAM verifiers of this package stay.)
func Rename(ctx context.Context, owner Beginner, roles schemactx.RoleNames, from, to string) (RenameReport, error) {
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

// complete returns an error unless there are a schema and a role of ours, of a tenant that may be
// changed.
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
