package admin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Harden revokes from PUBLIC, in the current database, the privileges by which a tenant's role can
// leave its scope, or leave an object behind, within a single statement:
//
//   - EXECUTE on pg_catalog.set_config, with which a statement can take another tenant's role while
//     it runs. An UPDATE of pg_settings calls it and is closed as well. The owner and the runtime
//     login keep the privilege: the scope statement calls set_config as the runtime login.
//   - USAGE on every trusted language that runs DO blocks, such as plpgsql. The owner keeps it, and
//     so can create functions. Calling a function needs no privilege on its language.
//   - EXECUTE on lo_creat, lo_create and lo_from_bytea, which create large objects. These would
//     belong to the tenant's role, outlive its schema, and prevent the drop of the role. The owner
//     keeps the privilege.
//
// Harden leaves the following to PUBLIC, because none of it changes a scope or reads data that the
// role may not read:
//
//   - pg_notify and pg_logical_emit_message: a listener must not trust a payload.
//   - Advisory locks: the connection releases them before it serves another tenant.
//   - pg_terminate_backend and pg_cancel_backend: they refuse a role that does not have the
//     privileges of the backend's login.
//   - The functions that read files and run commands: initdb has already revoked them from PUBLIC.
//   - ALTER ROLE on the role itself: its settings and its password affect only its next login.
//   - The catalogs: names and sizes of other tenants' tables are not secret.
//
// PostgreSQL has no privilege for SET ROLE as a statement of its own: use [schemactx.Logins]
// against it.
//
// Other roles that relied on the privileges of PUBLIC need grants of their own afterwards. A role
// that is neither the owner nor a superuser needs EXECUTE on set_config to run pg_dump, vacuumdb or
// a logical replication connection, which call it first. A dump by the owner or a superuser works
// and contains the revocations. A database that was restored or copied without them must be
// hardened again; [Check] reports that.
//
// admin is a superuser, the owner of the functions of pg_catalog. Other roles may call Harden, but
// on most managed services no login can revoke these privileges. The report then says what could
// not be done and why, and that object stays as it was. [Setup] must run first. Harden is one
// transaction, which ctx governs, and can be run again. After an error nothing has changed. An
// action that was not possible is not an error, see [HardenReport.Complete].
func Harden(ctx context.Context, admin Beginner, roles schemactx.RoleNames) (HardenReport, error) {
	var report HardenReport
	err := pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) error {
		if err := lockSetup(ctx, tx); err != nil {
			return err
		}
		if err := expectRoles(ctx, tx, roles.Owner(), roles.Runtime()); err != nil {
			return err
		}
		targets, err := hardenTargets(ctx, tx, roles)
		if err != nil {
			return err
		}
		for _, target := range targets {
			action, err := target.harden(ctx, tx)
			if err != nil {
				return err
			}
			report.Actions = append(report.Actions, action)
		}
		return nil
	})
	if err != nil {
		return HardenReport{}, fmt.Errorf("harden database: %w", err)
	}
	return report, nil
}

// HardenReport says what [Harden] did.
type HardenReport struct {
	// Actions has one action for each object, set_config first. What is the REVOKE from PUBLIC. The
	// roles that keep the privilege have a grant of their own. Err says why an action is impossible.
	Actions []Action
}

// Complete reports whether PUBLIC has none of the privileges that [Harden] revokes, and each role
// that keeps one has it.
func (r HardenReport) Complete() bool {
	for _, action := range r.Actions {
		if action.Outcome == ActionImpossible {
			return false
		}
	}
	return true
}

// expectRoles returns an error unless the roles exist.
func expectRoles(ctx context.Context, tx pgx.Tx, names ...string) error {
	for _, name := range names {
		var exists bool
		err := tx.QueryRow(ctx, "select exists (select from pg_catalog.pg_roles where rolname = $1::name)", name).
			Scan(&exists)
		if err != nil {
			return err
		}
		if !exists {
			return fmt.Errorf("role %q does not exist: Setup makes it", name)
		}
	}
	return nil
}
