package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"

	"github.com/oryne/pgtenant/schemactx"
)

// deprovision is one call of [Deprovision].
type deprovision struct {
	owner  Beginner
	roles  schemactx.RoleNames
	schema string
	opts   DeprovisionOptions
	report DeprovisionReport
}

func (d *deprovision) run(ctx context.Context) error {
	if err := d.opts.validate(); err != nil {
		return err
	}
	schema, role, err := d.close(ctx)
	if err != nil {
		return err
	}
	if schema != 0 {
		if err := d.dropRelations(ctx, schema); err != nil {
			return err
		}
		if err := d.dropSchema(ctx, schema); err != nil {
			return err
		}
	}
	if !role {
		return nil
	}
	return d.dropRole(ctx)
}

// act runs fn in a transaction and adds its actions to the report once the transaction has
// committed.
func (d *deprovision) act(ctx context.Context, fn func(tx pgx.Tx) ([]Action, error)) error {
	var actions []Action
	err := d.opts.lockWait().run(ctx, d.owner, func(tx pgx.Tx) (err error) {
		actions, err = fn(tx)
		return err
	})
	if err == nil {
		d.report.Actions = append(d.report.Actions, actions...)
	}
	return err
}

// close checks that the tenant may be dropped and revokes its access to the schema. It returns the
// schema's OID, 0 if there is no schema, and whether there is a role.
func (d *deprovision) close(ctx context.Context) (schema uint32, role bool, err error) {
	err = d.act(ctx, func(tx pgx.Tx) ([]Action, error) {
		st, err := readTenant(ctx, tx, d.roles, d.schema)
		if err != nil {
			return nil, err
		}
		schema, role = st.schema, st.role.exists
		if schema == 0 { // run drops the remaining role next
			return nil, st.role.madeFor(d.report.Role, st.database)
		}
		if err := st.complete(d.roles, d.schema); err != nil {
			return nil, err
		}
		if err := expectNoDependents(ctx, tx, d.schema, schema, nil); err != nil {
			return nil, err
		}
		changes, err := d.closeChanges(st)
		if err != nil {
			return nil, err
		}
		return applyChanges(ctx, tx, changes)
	})
	return schema, role, err
}

func (d *deprovision) closeChanges(st tenantState) ([]change, error) {
	role, err := schemactx.QuoteName(d.report.Role)
	if err != nil {
		return nil, err
	}
	runtime, err := schemactx.QuoteName(d.roles.Runtime())
	if err != nil {
		return nil, err
	}
	schema, err := schemactx.QuoteName(d.schema)
	return []change{
		{sql: []string{"revoke " + role + " from " + runtime}, done: !st.role.joined},
		{sql: []string{"revoke all on schema " + schema + " from " + role}, done: !st.usage},
		{sql: []string{"alter role " + role + " nologin"}, done: !st.canLogin},
	}, err
}

// dropSchema drops the schema with the remaining objects: functions, types and others.
func (d *deprovision) dropSchema(ctx context.Context, oid uint32) error {
	quoted, err := schemactx.QuoteName(d.schema)
	if err != nil {
		return err
	}
	return d.act(ctx, func(tx pgx.Tx) ([]Action, error) {
		if err := expectNoDependents(ctx, tx, d.schema, oid, nil); err != nil {
			return nil, err
		}
		return applyChanges(
			ctx,
			tx,
			[]change{
				{sql: []string{"drop schema if exists " + quoted + " cascade"}, what: "drop schema " + quoted + " cascade"},
			},
		)
	})
}

// dropRole drops the role, with the objects that it owns and its privileges: CONNECT, and
// privileges that migrations may have granted elsewhere. DROP OWNED needs the privileges of the
// role, and so a membership that inherits them. DROP ROLE removes all memberships.
func (d *deprovision) dropRole(ctx context.Context) error {
	role, err := schemactx.QuoteName(d.report.Role)
	if err != nil {
		return err
	}
	err = d.act(ctx, func(tx pgx.Tx) ([]Action, error) {
		var inherits bool
		if err := tx.QueryRow(ctx, "select pg_has_role($1::name, 'usage')", pgx.QueryExecModeExec, d.report.Role).
			Scan(&inherits); err != nil {
			return nil, err
		}
		drop := change{what: "drop role " + role, sql: []string{"drop role " + role}}
		owned := change{what: "drop owned by " + role, sql: []string{"drop owned by " + role}}
		switch {
		case inherits:
		case version(tx) >= 16:
			owned.sql = append([]string{"grant " + role + " to current_user with inherit true"}, owned.sql...)
		default:
			// Before PostgreSQL 16, INHERIT is an attribute of the member. The lock makes a concurrent
			// Setup, which alters the owner too, wait.
			if err := lockSetup(ctx, tx); err != nil {
				return nil, err
			}
			owned.sql = append([]string{
				"alter role current_user inherit", "grant " + role + " to current_user",
			}, owned.sql...)
			drop.sql = append(drop.sql, "alter role current_user noinherit")
		}
		return applyChanges(ctx, tx, []change{owned, drop})
	})
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == sqlstate.DependentObjects {
		return fmt.Errorf("%w: %s", err, pgErr.Detail) // the detail lists the objects
	}
	return err
}
