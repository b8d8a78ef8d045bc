package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Harden closes, in the current database, the ways in which a tenant's role can leave its
// scope or leave something behind inside a single statement. From PUBLIC it takes
//
//   - EXECUTE on pg_catalog.set_config, with which a statement takes another tenant's role
//     half way through. An UPDATE of pg_settings goes through it and is closed as well. The
//     owner and the runtime login keep it: the scope statement calls it as the runtime login.
//   - USAGE on every trusted language that runs DO blocks, such as plpgsql. The owner keeps
//     it, and with it the right to create functions; calling one needs no right on its language.
//   - EXECUTE on lo_creat, lo_create and lo_from_bytea, which make large objects: they would
//     belong to the tenant's role, outlive its schema, and hinder the role from being dropped.
//     The owner keeps them.
//
// What it leaves, because it neither changes a scope nor reads what the role may not read:
// pg_notify and pg_logical_emit_message (who listens must not trust a payload), advisory locks
// (a connection is freed of them between tenants), pg_terminate_backend and pg_cancel_backend
// (they refuse a role that does not have the rights of the backend's login), the functions that
// read files and run commands (initdb has taken them from PUBLIC already), ALTER ROLE on the
// role itself (its settings and password act on its own next login only). The catalogs stay
// readable: names and sizes of other tenants' tables are no secret. A whole statement that is
// SET ROLE cannot be taken away: that is what a login per tenant is for.
//
// Others who relied on PUBLIC's rights need grants of their own afterwards: whoever runs
// pg_dump, vacuumdb or a logical replication connection without being the owner or a superuser
// needs EXECUTE on set_config, which these programs call first. A dump by the owner or a
// superuser works, and holds these revocations; a database that was restored or copied without
// them has to be hardened again. [Check] says so.
//
// admin is a superuser, the owner of pg_catalog's functions. Others may call it, but on most
// managed services nobody can revoke rights there: the report says what could not be done
// and why, and leaves that object as it was. Harden is one transaction and can be run again;
// [Setup] comes first. ctx governs all of it. An error means that nothing has changed; that
// some action was not possible is no error, see [HardenReport.Complete].
func Harden(ctx context.Context, admin Beginner, roles schemactx.RoleNames) (HardenReport, error) {
	var report HardenReport
	err := beginFunc(ctx, admin, func(tx pgx.Tx) error {
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
	Actions []HardenAction // one for each object, set_config first
}

// Complete reports whether everything is now as [Harden] wants it.
func (r HardenReport) Complete() bool {
	for _, action := range r.Actions {
		if action.Outcome == HardenImpossible {
			return false
		}
	}
	return true
}

// HardenAction is what became of one right that PUBLIC had or has.
type HardenAction struct {
	Privilege string   // EXECUTE or USAGE
	Object    string   // as in GRANT: "function pg_catalog.set_config(text, text, boolean)"
	Keepers   []string // the roles that have the right of their own
	Outcome   HardenOutcome
	Reason    string // why it is impossible; else empty
}

// String returns the action as one line for a log.
func (a HardenAction) String() string {
	s := fmt.Sprintf("%s on %s only for %s: %s", a.Privilege, a.Object, strings.Join(a.Keepers, ", "), a.Outcome)
	if a.Reason != "" {
		s += ", " + a.Reason
	}
	return s
}

// HardenOutcome says how a [HardenAction] ended.
type HardenOutcome int

const (
	// HardenDone is what was changed now.
	HardenDone HardenOutcome = iota
	// HardenAlready is what was so before.
	HardenAlready
	// HardenImpossible is what this admin cannot change. It has stayed as it was.
	HardenImpossible
)

// String returns the outcome in words.
func (o HardenOutcome) String() string {
	switch o {
	case HardenDone:
		return "done"
	case HardenAlready:
		return "already set"
	case HardenImpossible:
		return "not possible"
	}
	return fmt.Sprintf("outcome %d", int(o))
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
