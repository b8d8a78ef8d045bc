package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// Beginner begins a transaction: a [*pgxpool.Pool], a [*pgxpool.Conn] or a [*pgx.Conn]. A
// [schemactx.DB] and a [pgx.Tx] have no Ping, so they do not satisfy it: the transactions of a DB
// have the privileges of a tenant, and some functions of this package are several transactions.
type Beginner interface {
	beginner
	Ping(ctx context.Context) error
}

type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// expectPlain returns an error if tx runs in the scope of a tenant, that is, on a [schemactx.DB].
func expectPlain(tx pgx.Tx) error {
	if tx.Conn() == nil {
		return errors.New("needs a transaction of a pgx connection, not one in the scope of a tenant")
	}
	return nil
}

// Provision creates a tenant's schema and role. It grants the role USAGE on the schema, SELECT,
// INSERT, UPDATE and DELETE on its tables, and USAGE and SELECT on its sequences. The grants apply
// to tables and sequences that the owner creates later, too. Provision makes the runtime login a
// member of the role, so that the login can take it. owner is logged in as the owner role of
// [Setup].
//
// Functions need no grant: PostgreSQL grants EXECUTE to PUBLIC, and a role without USAGE on the
// schema cannot call them. A grant to the role would remain after a migration revokes EXECUTE from
// PUBLIC to keep a function to the owner, so Provision makes none.
//
// Provision is one transaction, which ctx governs, of four round trips for a new tenant. It can be
// run again at any time: it keeps what exists and creates what is missing, and so also repairs
// grants. The report says which. A role with LOGIN ([ProvisionLogin]) keeps it.
//
// The error is [ErrTaken] for a role that was made for another database, for a schema that the
// owner does not own, and for the registry's schema. It is a [schemactx.NameError] for an invalid
// name and for one that [schemactx.RoleNames.ValidateSchema] refuses. After an error nothing has
// changed.
func Provision(ctx context.Context, owner Beginner, roles schemactx.RoleNames, schema string) (ProvisionReport, error) {
	return provisionWithoutLogin(ctx, owner, roles, schema)
}

// ProvisionTx is [Provision] in a savepoint of the caller's transaction.
func ProvisionTx(ctx context.Context, tx pgx.Tx, roles schemactx.RoleNames, schema string) (ProvisionReport, error) {
	if err := expectPlain(tx); err != nil {
		return ProvisionReport{}, err
	}
	return provisionWithoutLogin(ctx, tx, roles, schema)
}

func provisionWithoutLogin(
	ctx context.Context, owner beginner, roles schemactx.RoleNames, schema string,
) (ProvisionReport, error) {
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
	Role    string   // the name of the tenant's role
	Actions []Action // in this order: role and membership, schema, grants, login
}

// Changed reports whether this run changed anything.
func (r ProvisionReport) Changed() bool { return changed(r.Actions) }

// provision reads the state of the tenant in one or two round trips and applies the missing changes
// in another. login returns the further changes for a role that logs in; nil means none.
func provision(
	ctx context.Context,
	owner beginner,
	roles schemactx.RoleNames,
	schema string,
	login func(role string, st tenantState) ([]change, error),
) (ProvisionReport, error) {
	report := ProvisionReport{Schema: schema, Role: roles.Tenant(schema)}
	err := pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
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

// provisionChanges returns the changes for a tenant, in order. For a new schema, all but the grants
// on existing tables and sequences are needed. It has none, and GRANT would look for them in all of
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
	// TRUNCATE, REFERENCES and TRIGGER are left out: they affect more than rows.
	return []change{
		makeRole,
		join,
		{sql: []string{"create schema " + quoted}, done: st.schema != 0},
		// Default privileges of the owner can have granted it to PUBLIC.
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

// execAll runs statements without parameters in one round trip. The statements are unnamed, because
// they do not run again on this connection.
func execAll(ctx context.Context, tx pgx.Tx, statements ...string) error {
	batch := &pgconn.Batch{}
	for _, sql := range statements {
		batch.ExecParams(sql, nil, nil, nil, nil)
	}
	return tx.Conn().PgConn().ExecBatch(ctx, batch).Close()
}
