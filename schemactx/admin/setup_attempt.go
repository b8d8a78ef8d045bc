package admin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"

	"github.com/oryne/pgtenant/schemactx"
)

// requirement describes what a change needs: the words for a [PrivilegeError], and the query for
// the roles that have it.
type requirement struct {
	what, holders string
	args          []any
	createrole    bool // the change needs CREATEROLE too
}

// ownership returns the need to own the database.
func ownership(database string) requirement {
	return requirement{what: "ownership of database " + quoteForMessage(database), holders: ownerOfDatabase}
}

// createOnDatabase returns the need for CREATE on the database, to create schemas and trusted
// extensions.
func createOnDatabase(database string) requirement {
	return requirement{what: "CREATE on database " + quoteForMessage(database), holders: ownerOfDatabase}
}

func ownershipOfSchema(schema string) requirement {
	return requirement{what: "ownership of schema " + quoteForMessage(schema), holders: ownerOfSchema, args: []any{schema}}
}

// adminOption returns the need for the privilege to make another role a member of the role.
func adminOption(role string, version int) requirement {
	if version < 16 {
		return requirement{what: "CREATEROLE", holders: creatorsOfRoles}
	}
	what := "ADMIN OPTION on role " + quoteForMessage(role)
	return requirement{what: what, holders: adminsOfRole, args: []any{role, false}}
}

// rightToAlter returns the need for the privilege to alter a role that is not a superuser.
func rightToAlter(role string, version int) requirement {
	m := adminOption(role, version)
	if version >= 16 {
		m.createrole, m.args[1] = true, true
	}
	return m
}

func quoteForMessage(name string) string { return pgx.Identifier{name}.Sanitize() }

const (
	ownerOfDatabase = `select rolname::text from pg_database join pg_roles r on r.oid = datdba
		where datname = current_database() and not rolsuper`
	// The schema public belongs to pg_database_owner, and so to the database's owner, since PostgreSQL
	// 15.
	ownerOfSchema = `select rolname::text from pg_namespace, pg_database, pg_roles r where nspname = $1
		and datname = current_database()
		and r.oid = case when pg_get_userbyid(nspowner) = 'pg_database_owner' then datdba else nspowner end and not rolsuper`
	creatorsOfRoles = "select rolname::text from pg_roles where rolcreaterole and not rolsuper order by 1"
	adminsOfRole    = `select rolname::text from pg_roles m where rolcreaterole >= $2 and not rolsuper and exists (
			select from pg_auth_members where member = m.oid and admin_option and roleid = (select oid from pg_roles
				where rolname = $1))
		order by 1`
	noRole = "select ''::text where false"
)

// refusableChange is a change of [Setup] that the server may refuse to the administrator's login.
type refusableChange struct {
	change
	missing requirement
}

// attempt applies the changes that are not done yet, each after a savepoint, so that a refusal does
// not stop the others.
func attempt(ctx context.Context, tx pgx.Tx, changes []refusableChange) ([]Action, error) {
	actions := make([]Action, len(changes))
	for i, c := range changes {
		actions[i] = Action{What: c.name()}
		if c.done {
			actions[i].Outcome = ActionAlready
			continue
		}
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return execAll(ctx, tx, c.sql...) })
		switch {
		case err == nil:
		case refuses(err):
			why, err := c.refused(ctx, tx, err)
			if err != nil {
				return nil, err
			}
			actions[i].Outcome, actions[i].Err = ActionImpossible, why
		default:
			return nil, fmt.Errorf("%s: %w", c.name(), err)
		}
	}
	return actions, nil
}

// querier is a transaction or a connection.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// refused returns the [PrivilegeError] of a change. answer is the server's error, nil if the server
// only warned.
func (c refusableChange) refused(ctx context.Context, q querier, answer error) (*PrivilegeError, error) {
	e := &PrivilegeError{Statement: c.name(), Err: answer}
	var creates bool
	rows, err := q.Query(
		ctx,
		"select current_user::text, rolcreaterole from pg_roles where rolname = current_user",
		pgx.QueryExecModeExec,
	)
	if err != nil {
		return nil, err
	}
	if _, err = pgx.ForEachRow(rows, []any{&e.Login, &creates}, func() error { return nil }); err != nil {
		return nil, err
	}
	if c.missing.holders == "" || answer != nil && !sqlstate.Is(answer, sqlstate.InsufficientRights) {
		return e, nil // the server's error gives the reason
	}
	if rows, err = q.Query(
		ctx,
		c.missing.holders,
		append([]any{pgx.QueryExecModeExec}, c.missing.args...)...); err != nil {
		return nil, err
	}
	e.Missing = c.missing.what
	if c.missing.createrole && !creates {
		e.Missing = "CREATEROLE"
	}
	e.By, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return e, err
}

// setPasswords sets the passwords, each in its own transaction, because a service can refuse one at
// COMMIT: Neon accepts only plain passwords.
func setPasswords(ctx context.Context, admin Beginner, roles schemactx.RoleNames, v verifiers) ([]Action, error) {
	var actions []Action
	for _, l := range []struct{ login, verifier string }{{roles.Runtime(), v.runtime}, {roles.Owner(), v.owner}} {
		if l.verifier == "" {
			continue
		}
		set, err := passwordChange(l.login, l.verifier)
		if err != nil {
			return actions, err
		}
		action, err := setPassword(ctx, admin, l.login, set)
		if err != nil {
			return actions, fmt.Errorf("%s: %w", set.name(), err)
		}
		actions = append(actions, action)
	}
	return actions, nil
}

func setPassword(ctx context.Context, admin Beginner, login string, set change) (Action, error) {
	c := refusableChange{change: set}
	err := pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) error {
		c.missing = rightToAlter(login, version(tx))
		return execAll(ctx, tx, c.sql...)
	})
	if err == nil || !refuses(err) {
		return Action{What: c.name()}, err
	}
	var why *PrivilegeError
	answer := err
	err = pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) (err error) {
		why, err = c.refused(ctx, tx, answer)
		return err
	})
	return Action{What: c.name(), Outcome: ActionImpossible, Err: why}, err
}
