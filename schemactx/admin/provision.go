package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// Beginner begins a transaction: a [*pgxpool.Pool], a [*pgx.Conn], or a [pgx.Tx] of one. A
// [schemactx.DB] is none, though it has the method: its transactions have a tenant's rights, and no
// connection to show.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// errNotPlain is returned to those who set up roles and schemas with what has a scope.
var errNotPlain = errors.New("needs a connection of pgx's own, not one that runs in the scope of a tenant")

// beginFunc is [pgx.BeginFunc] on a connection without a scope.
func beginFunc(ctx context.Context, b Beginner, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, b, func(tx pgx.Tx) error {
		if tx.Conn() == nil {
			return errNotPlain
		}
		return fn(tx)
	})
}

// Provision makes a tenant's schema and role, and grants the role what a scope may do: use
// the schema, read and write its tables, use its sequences, present and to come. It makes
// the runtime login a member of the role, so that it can take it. owner is logged in as the
// owner role of [Setup].
//
// Functions need no grant: PostgreSQL gives EXECUTE to PUBLIC, and who lacks USAGE on the
// schema cannot call them. A grant to the role would outlive the REVOKE from PUBLIC with which a
// migration keeps a function to the owner, so there is none.
//
// It is one transaction, which ctx governs, of four round trips for a new tenant, and can be run
// again at any time: what is there stays and what lacks is made, so that it also repairs grants.
// The report says which. A role that may log in ([ProvisionLogin]) goes on doing so. A role of the
// name that another database has made, a schema that the owner does not own, and the registry's are
// [ErrTaken]; an invalid name, and one that [schemactx.RoleNames.ValidateSchema] refuses, is a
// [schemactx.NameError]. With an error nothing has changed.
func Provision(ctx context.Context, owner Beginner, roles schemactx.RoleNames, schema string) (ProvisionReport, error) {
	if err := roles.ValidateSchema(schema); err != nil {
		return ProvisionReport{}, err
	}
	report, err := provision(ctx, owner, roles, schema, nil)
	if err != nil {
		return ProvisionReport{}, fmt.Errorf("provision schema %q: %w", schema, err)
	}
	return report, nil
}

// ProvisionReport says what [Provision] or [ProvisionLogin] did.
type ProvisionReport struct {
	Schema  string
	Role    string   // of the tenant
	Actions []Action // role and membership, schema, grants, login
}

// Changed reports whether anything was made now.
func (r ProvisionReport) Changed() bool { return changed(r.Actions) }

// provision makes what lacks: one or two round trips read what is there, another one changes it.
// login yields what comes on top of it for a role that logs in; nil: nothing.
func provision(
	ctx context.Context,
	owner Beginner,
	roles schemactx.RoleNames,
	schema string,
	login func(role string, st tenantState) ([]change, error),
) (ProvisionReport, error) {
	report := ProvisionReport{Schema: schema, Role: roles.Tenant(schema)}
	err := beginFunc(ctx, owner, func(tx pgx.Tx) error {
		st, err := readNew(ctx, tx, roles, schema)
		if err == nil && (login != nil || st.schema != 0 || st.role.exists) {
			st, err = readTenant(ctx, tx, roles, schema)
		}
		if err != nil {
			return err
		}
		changes, err := provisionChanges(roles, schema, st, version(tx))
		if err != nil {
			return err
		}
		if login != nil {
			more, err := login(report.Role, st)
			if err != nil {
				return err
			}
			changes = append(changes, more...)
		}
		report.Actions, err = applyChanges(ctx, tx, changes)
		return err
	})
	return report, err
}

// provisionWishes are those of a tenant, in order. Of a schema that is created now nothing is so
// but that its tables have their grants: it has none, and GRANT would look for them in all of
// pg_class.
func provisionChanges(roles schemactx.RoleNames, schema string, st tenantState, version int) ([]change, error) {
	if st.registry {
		return nil, fmt.Errorf("schema %q is the registry's: %w", schema, ErrTaken)
	}
	if st.schema != 0 && !st.mine {
		return nil, fmt.Errorf("schema %q belongs to another role: %w", schema, ErrTaken)
	}
	makeRole, err := roleChange(roles.Tenant(schema), "nologin", st.database, st.role)
	if err != nil {
		return nil, err
	}
	join, err := memberChange(roles.Tenant(schema), roles.Runtime(), st.role, version)
	if err != nil {
		return nil, err
	}
	quoted, err := schemactx.QuoteName(schema)
	if err != nil {
		return nil, err
	}
	role, err := schemactx.QuoteName(roles.Tenant(schema))
	if err != nil {
		return nil, err
	}
	in := "alter default privileges in schema " + quoted + " grant "
	// TRUNCATE, REFERENCES and TRIGGER are left out: they reach further than rows.
	return []change{
		makeRole,
		join,
		{sql: []string{"create schema " + quoted}, done: st.schema != 0},
		// defaults of the owner's can give it
		{sql: []string{"revoke all on schema " + quoted + " from public"}, done: st.schema != 0 && !st.open},
		{sql: []string{"grant usage on schema " + quoted + " to " + role}, done: st.usage},
		{
			sql:  []string{"grant select, insert, update, delete on all tables in schema " + quoted + " to " + role},
			done: st.tables,
		},
		{sql: []string{"grant usage, select on all sequences in schema " + quoted + " to " + role}, done: st.sequences},
		{sql: []string{in + "select, insert, update, delete on tables to " + role}, done: st.newTables},
		{sql: []string{in + "usage, select on sequences to " + role}, done: st.newSequences},
	}, nil
}

// execAll runs statements without parameters in one round trip. They stay unnamed: none
// will ever run again on this connection.
func execAll(ctx context.Context, tx pgx.Tx, statements ...string) error {
	batch := &pgconn.Batch{}
	for _, sql := range statements {
		batch.ExecParams(sql, nil, nil, nil, nil)
	}
	return tx.Conn().PgConn().ExecBatch(ctx, batch).Close()
}
