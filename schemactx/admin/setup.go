package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/postgres"

	"github.com/oryne/pgtenant/schemactx"
)

// MinVersion is the oldest major version of PostgreSQL that the package works with.
const MinVersion = 14

// ErrVersion is returned by [Setup] on a server older than [MinVersion].
var ErrVersion = errors.New("PostgreSQL version is not supported")

// SetupConfig says what [Setup] creates. The zero value is valid.
type SetupConfig struct {
	// Roles are the names of the roles. Default: [schemactx.DefaultRoleNames] of the database.
	Roles schemactx.RoleNames

	// OwnerPassword and RuntimePassword are the passwords of the two logins. An empty one leaves the
	// login's password as it is. They must be printable ASCII. They are sent as SCRAM-SHA-256
	// verifiers, so that no log of the server contains them.
	OwnerPassword   string
	RuntimePassword string

	// ExtraSearchPath are the schemas of [schemactx.Config].ExtraSearchPath. PUBLIC gets USAGE on each
	// that exists and loses CREATE. So every tenant, also a later one, finds the objects there, and
	// only the schema's owner creates objects. Default: none.
	ExtraSearchPath []string

	// Extensions are the names of extensions that the database should have: "citext". Setup creates
	// the missing ones in ExtensionSchema, with those that they require. One that exists stays in its
	// schema, which the report names. One that cannot be created is in the report and does not stop
	// Setup: see [SetupReport.Err]. Default: none.
	Extensions []string

	// ExtensionSchema is the schema of new extensions. If Extensions are named, Setup creates it where
	// it does not exist, with the privileges of ExtraSearchPath. Default: [DefaultExtensionSchema].
	ExtensionSchema string
}

// Setup creates, once per database, the roles that all tenants share, and revokes from PUBLIC the
// privileges that tenants must not have:
//
//   - <prefix>_owner is a login with CREATEROLE. It may create schemas, create tables in public,
//     and grant CONNECT.
//   - <prefix>_runtime is a login that may only connect, with NOINHERIT.
//   - <prefix>_public is the role of public scopes. The runtime login may take it.
//   - PUBLIC loses TEMPORARY on the database and CREATE on the schema public.
//   - If the configuration names them: a schema for extensions, extensions in it, and USAGE for
//     PUBLIC on the schemas that every tenant finds without qualification.
//
// admin is a superuser, or a role with CREATEROLE that owns the database. For any other role, Setup
// does what the server allows. The report names the rest and the roles that can do it, see
// [SetupReport.Err]; a refusal is no error. MANAGED.md is about managed services.
//
// Setup is one transaction, followed by one for each password. ctx governs all of them. Setup can
// be run again: it creates what is missing and leaves the rest as it is. A role that exists
// already, for example because Terraform created it, needs the comment "pgtenant role of database
// <name>". Setup then gives it LOGIN, NOINHERIT and CREATEROLE as above. It revokes SUPERUSER from
// each of the three roles, and CREATEROLE, CREATEDB, REPLICATION and BYPASSRLS from the runtime
// login and the public role. The report has the names of the roles and says what Setup did.
//
// An error with an empty report means that Setup changed nothing, unless the connection broke
// during the commit. If a password cannot be set, for example because the connection breaks, the
// rest is committed: Setup returns the report of what it did, with the error. The error is
//
//   - [ErrTaken] for a role that was made for another database
//   - [ErrVersion] for a server that is too old
//   - a [schemactx.SearchPathError] for a schema that cannot be on the path
//   - an [ExtensionError] for an extension with an invalid name
//
// Before PostgreSQL 16, a login with CREATEROLE can grant itself any role that is not a superuser.
// Protect the owner's password as you protect the administrator's.
func Setup(ctx context.Context, admin Beginner, cfg SetupConfig) (SetupReport, error) {
	report, err := setupDatabase(ctx, admin, cfg)
	if err != nil {
		return report, fmt.Errorf("set up roles: %w", err)
	}
	return report, nil
}

func setupDatabase(ctx context.Context, admin Beginner, cfg SetupConfig) (SetupReport, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return SetupReport{}, err
	}
	verifiers, err := cfg.verifiers()
	if err != nil {
		return SetupReport{}, err
	}
	report := SetupReport{Roles: cfg.Roles}
	err = pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) error {
		if v := version(tx); v < MinVersion {
			return fmt.Errorf("%w: server is %d, oldest supported is %d", ErrVersion, v, MinVersion)
		}
		var database string
		if err := lockSetup(ctx, tx); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "select current_database()").Scan(&database); err != nil {
			return err
		}
		if report.Roles == (schemactx.RoleNames{}) {
			report.Roles = schemactx.DefaultRoleNames(database)
		}
		cfg.Roles = report.Roles
		var err error
		report.Actions, report.Extensions, err = setup(ctx, tx, cfg, database)
		return err
	})
	if err != nil {
		return SetupReport{}, err
	}
	passwords, err := setPasswords(ctx, admin, report.Roles, verifiers)
	report.Actions = append(report.Actions, passwords...)
	return report, err
}

func setup(ctx context.Context, tx pgx.Tx, cfg SetupConfig, database string) ([]Action, []ExtensionAction, error) {
	actions, err := setupRoles(ctx, tx, cfg.Roles, database)
	if err != nil {
		return nil, nil, err
	}
	rights, err := setupRights(ctx, tx, cfg.Roles, database)
	if err != nil {
		return nil, nil, err
	}
	schemas, err := setupSchemas(ctx, tx, cfg, database)
	if err != nil {
		return nil, nil, err
	}
	extensions, err := setupExtensions(ctx, tx, cfg, database)
	return slices.Concat(actions, rights, schemas), extensions, err
}

// verifiers are the texts that PostgreSQL stores for the passwords; "" if a password is not set.
type verifiers struct{ owner, runtime string }

func (c SetupConfig) verifiers() (v verifiers, err error) {
	if c.OwnerPassword != "" {
		if v.owner, err = scramVerifier(c.OwnerPassword); err != nil {
			return v, err
		}
	}
	if c.RuntimePassword != "" {
		v.runtime, err = scramVerifier(c.RuntimePassword)
	}
	return v, err
}

// version returns the server's major version.
func version(tx pgx.Tx) int { return postgres.Version(tx.Conn().PgConn()) }
