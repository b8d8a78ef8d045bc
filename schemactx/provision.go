package schemactx

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Beginner begins a transaction: a [*pgxpool.Pool], a [*pgx.Conn], or a [pgx.Tx] of one. A [DB] is
// none, though it has the method: its transactions have a tenant's rights, and no connection to show.
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
// It is one transaction, which ctx governs, and can be run again at any time: what is there
// stays and what lacks is made, so that it also repairs grants. A role that may log in ([ProvisionLogin])
// goes on doing so. A role of the name that another database has made, and a schema that the
// owner does not own, are [ErrTaken]; an invalid name is a [NameError]. In both cases nothing
// has changed.
func Provision(ctx context.Context, owner Beginner, roles RoleNames, schema string) error {
	if err := ValidateName(schema); err != nil {
		return err
	}
	err := beginFunc(ctx, owner, func(tx pgx.Tx) error {
		return provision(ctx, tx, roles, schema)
	})
	if err != nil {
		return fmt.Errorf("provision schema %q: %w", schema, err)
	}
	return nil
}

func provision(ctx context.Context, tx pgx.Tx, roles RoleNames, schema string) error {
	role, err := ensureRole(ctx, tx, roles.Tenant(schema), "nologin")
	if err != nil {
		return err
	}
	if err := grantMember(ctx, tx, role, roles.Runtime()); err != nil {
		return err
	}
	if err := ensureSchema(ctx, tx, schema); err != nil {
		return err
	}
	quoted, err := QuoteName(schema)
	if err != nil {
		return err
	}
	// One round trip. TRUNCATE, REFERENCES and TRIGGER are left out: they reach further
	// than rows.
	return execAll(
		ctx, tx,
		"revoke all on schema "+quoted+" from public",
		"grant usage on schema "+quoted+" to "+role,
		"grant select, insert, update, delete on all tables in schema "+quoted+" to "+role,
		"grant usage, select on all sequences in schema "+quoted+" to "+role,
		"alter default privileges in schema "+quoted+" grant select, insert, update, delete on tables to "+role,
		"alter default privileges in schema "+quoted+" grant usage, select on sequences to "+role,
	)
}

// ensureSchema creates the schema, or finds that the current role owns it already.
func ensureSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var mine bool
	err := tx.QueryRow(ctx,
		"select nspowner = (select oid from pg_roles where rolname = current_user) from pg_namespace where nspname = $1",
		schema).Scan(&mine)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		quoted, err := QuoteName(schema)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "create schema "+quoted)
		return err
	case err != nil:
		return err
	case !mine:
		return fmt.Errorf("schema %q belongs to another role: %w", schema, ErrTaken)
	}
	return nil
}

// ensureRole creates a role with the given attributes, or finds that it was made for this
// database, and returns its quoted name. Roles belong to the whole server: the comment says
// which database one was made for, so that two databases that share a prefix by mistake do
// not share roles.
func ensureRole(ctx context.Context, tx pgx.Tx, name, attributes string) (string, error) {
	quoted, err := QuoteName(name)
	if err != nil {
		return "", err
	}
	var database, comment string
	var exists bool
	err = tx.QueryRow(ctx, `select current_database(), r.oid is not null, coalesce(shobj_description(r.oid, 'pg_authid'), '')
		from (select $1::name as rolname) as want left join pg_roles r using (rolname)`, name).Scan(&database, &exists, &comment)
	if err != nil {
		return "", err
	}
	want := "pgtenant role of database " + database
	if !exists {
		return quoted, execAll(ctx, tx, "create role "+quoted+" "+attributes, "comment on role "+quoted+" is "+quoteLiteral(want))
	}
	if comment != want {
		return "", fmt.Errorf("role %q exists and was not made for database %q: %w", name, database, ErrTaken)
	}
	return quoted, nil
}

// grantMember lets member take role by SET ROLE, and nothing more.
func grantMember(ctx context.Context, tx pgx.Tx, role, member string) error {
	quoted, err := QuoteName(member)
	if err != nil {
		return err
	}
	sql := "grant " + role + " to " + quoted
	if version(tx) >= 16 {
		sql += " with inherit false, set true" // before 16, NOINHERIT of the member says so
	}
	_, err = tx.Exec(ctx, sql)
	return err
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
