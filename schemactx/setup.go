package schemactx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// MinVersion is the oldest major version of PostgreSQL that the package works with.
const MinVersion = 14

// ErrVersion is returned by [Setup] on a server older than [MinVersion].
var ErrVersion = errors.New("PostgreSQL version is not supported")

// SetupConfig says what [Setup] makes.
type SetupConfig struct {
	// Roles are the names of the roles. Default: [DefaultRoleNames] of the database.
	Roles RoleNames

	// OwnerPassword and RuntimePassword are set on the two logins where they are not empty;
	// else what is there stays. Only printable ASCII. They are sent as SCRAM-SHA-256
	// verifiers, so that no log of the server holds them.
	OwnerPassword   string
	RuntimePassword string
}

// Setup makes, once per database, the roles that schemas share, and takes from everybody
// what tenants must not have:
//
//   - <prefix>_owner, a login with CREATEROLE that may create schemas, and tables in public,
//     and pass on CONNECT
//   - <prefix>_runtime, a login without any right but to connect, NOINHERIT
//   - <prefix>_public, the role of public scopes, which the runtime login may take
//   - PUBLIC loses TEMPORARY on the database and CREATE on the schema public
//
// admin is a superuser, or a role with CREATEROLE that owns the database. Setup is one
// transaction, which ctx governs, and can be run again. It returns the role names it used; a role of the name
// that was made by somebody else is [ErrTaken], and a server that is too old [ErrVersion].
//
// Before PostgreSQL 16, a login with CREATEROLE can grant itself any role that is not a
// superuser's: guard the owner's password as you guard the administrator's.
func Setup(ctx context.Context, admin Beginner, cfg SetupConfig) (RoleNames, error) {
	err := beginFunc(ctx, admin, func(tx pgx.Tx) error {
		if v := version(tx); v < MinVersion {
			return fmt.Errorf("%w: server is %d, oldest supported is %d", ErrVersion, v, MinVersion)
		}
		var database string
		if err := tx.QueryRow(ctx, "select current_database() from pg_advisory_xact_lock($1)", setupLock).Scan(&database); err != nil {
			return err
		}
		if cfg.Roles == (RoleNames{}) {
			cfg.Roles = DefaultRoleNames(database)
		}
		return setup(ctx, tx, cfg, database)
	})
	if err != nil {
		return RoleNames{}, fmt.Errorf("set up roles: %w", err)
	}
	return cfg.Roles, nil
}

// setupLock keeps two set-ups of one database apart ("pgtenant" in ASCII, folded).
const setupLock = 0x706774656e616e74

func setup(ctx context.Context, tx pgx.Tx, cfg SetupConfig, database string) error {
	owner, err := ensureRole(ctx, tx, cfg.Roles.Owner(), "login noinherit createrole")
	if err != nil {
		return err
	}
	runtime, err := ensureRole(ctx, tx, cfg.Roles.Runtime(), "login noinherit")
	if err != nil {
		return err
	}
	public, err := ensureRole(ctx, tx, cfg.Roles.Public(), "nologin")
	if err != nil {
		return err
	}
	if err := grantMember(ctx, tx, public, cfg.Roles.Runtime()); err != nil {
		return err
	}
	db := pgx.Identifier{database}.Sanitize() // a database's name follows no rule of ours
	err = execAll(
		ctx, tx,
		"revoke temporary on database "+db+" from public",
		"revoke create on schema public from public",
		"grant create, temporary on database "+db+" to "+owner,
		"grant connect on database "+db+" to "+owner+" with grant option", // for the logins of tenants
		"grant connect on database "+db+" to "+runtime,
		"grant usage, create on schema public to "+owner,
		"grant usage on schema public to "+public,
	)
	if err != nil {
		return err
	}
	if err := setPassword(ctx, tx, owner, cfg.OwnerPassword); err != nil {
		return err
	}
	return setPassword(ctx, tx, runtime, cfg.RuntimePassword)
}

// setPassword sets a login's password where there is one to set.
func setPassword(ctx context.Context, tx pgx.Tx, quotedRole, password string) error {
	if password == "" {
		return nil
	}
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "alter role "+quotedRole+" password "+quoteLiteral(verifier))
	return err
}

// version returns the server's major version.
func version(tx pgx.Tx) int {
	s := tx.Conn().PgConn().ParameterStatus("server_version")
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		s = s[:i]
	}
	v, _ := strconv.Atoi(s) // no number: 0, older than anything supported
	return v
}

// quoteLiteral quotes text for the few commands that take no parameters. It is right under
// standard_conforming_strings, which pgx requires as well.
func quoteLiteral(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
