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

// SetupConfig says what [Setup] makes.
type SetupConfig struct {
	// Roles are the names of the roles. Default: [schemactx.DefaultRoleNames] of the database.
	Roles schemactx.RoleNames

	// OwnerPassword and RuntimePassword are set on the two logins where they are not empty;
	// else what is there stays. Only printable ASCII. They are sent as SCRAM-SHA-256
	// verifiers, so that no log of the server holds them.
	OwnerPassword   string
	RuntimePassword string

	// ExtraSearchPath are the schemas of [schemactx.Config].ExtraSearchPath. PUBLIC gets USAGE on each
	// that exists and loses CREATE, so that every tenant, also a later one, finds what is there and
	// only the schema's owner creates there. Default: none.
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

// Setup makes, once per database, the roles that schemas share, and takes from everybody
// what tenants must not have:
//
//   - <prefix>_owner, a login with CREATEROLE that may create schemas, and tables in public,
//     and pass on CONNECT
//   - <prefix>_runtime, a login without any right but to connect, NOINHERIT
//   - <prefix>_public, the role of public scopes, which the runtime login may take
//   - PUBLIC loses TEMPORARY on the database and CREATE on the schema public
//   - where the configuration names them: a schema for extensions, extensions in it, and USAGE for
//     PUBLIC on the schemas that every tenant finds without naming them
//
// admin is a superuser, or a role with CREATEROLE that owns the database. For any other role, Setup
// does what the server allows. The report names the rest and the roles that can do it, see
// [SetupReport.Err]; a refusal is no error. MANAGED.md is about managed services.
//
// Setup is one transaction, followed by one for each password. ctx governs all of them. Setup can
// be run again: it makes what is missing and leaves the rest as it is. A role that exists, such as
// one that Terraform made, needs the comment "pgtenant role of database <name>". Setup then gives
// it LOGIN, NOINHERIT and CREATEROLE as above. It revokes SUPERUSER from each of them, and
// CREATEROLE, CREATEDB, REPLICATION and BYPASSRLS from the runtime login and the public role. The
// report has the role names that it used, and says what it did. With an error no role and no
// privilege has changed, unless the connection broke while a password was set. A role of the name
// that was made for another database is [ErrTaken], a server that is too old [ErrVersion], and a
// schema that cannot be on the path a [schemactx.SearchPathError].
//
// Before PostgreSQL 16, a login with CREATEROLE can grant itself any role that is not a
// superuser's: guard the owner's password as you guard the administrator's.
func Setup(ctx context.Context, admin Beginner, cfg SetupConfig) (SetupReport, error) {
	report, err := setupDatabase(ctx, admin, cfg)
	if err != nil {
		return SetupReport{}, fmt.Errorf("set up roles: %w", err)
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
	err = beginFunc(ctx, admin, func(tx pgx.Tx) error {
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

// verifiers are what PostgreSQL stores for the passwords; "" where there is none to be set.
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
