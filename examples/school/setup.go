package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// setUp creates the roles and extensions, hardens a local server, and checks the result.
func (db *database) setUp(ctx context.Context, o options) error {
	cfg, err := db.setupConfig(ctx, o)
	if err != nil {
		return err
	}
	if err := setUp(ctx, db.admin, cfg); err != nil {
		return err
	}
	if err := db.harden(ctx); err != nil {
		return err
	}
	return db.expectSetUp(ctx, o)
}

// setupConfig returns the configuration for [admin.Setup]. Existing logins keep their passwords,
// because a program with another data directory may be serving with them. On a local server it
// first creates the database if it is missing.
func (db *database) setupConfig(ctx context.Context, o options) (admin.SetupConfig, error) {
	cfg := setupConfig()
	cfg.Roles = db.roles
	switch {
	case db.local:
		return cfg, db.create(ctx)
	case o.newPasswords:
		cfg.OwnerPassword, cfg.RuntimePassword = db.key.password(db.roles.Owner()), db.key.password(db.roles.Runtime())
		return cfg, nil
	}
	err := asAdmin(ctx, db.admin, func(conn *pgx.Conn) error {
		missing, err := db.missingLogins(ctx, conn)
		if slices.Contains(missing, db.roles.Owner()) {
			cfg.OwnerPassword = db.key.password(db.roles.Owner())
		}
		if slices.Contains(missing, db.roles.Runtime()) {
			cfg.RuntimePassword = db.key.password(db.roles.Runtime())
		}
		return err
	})
	return cfg, err
}

// setupConfig returns the part of the configuration that every database of schools needs.
func setupConfig() admin.SetupConfig {
	return admin.SetupConfig{Extensions: schools.Extensions, ExtraSearchPath: []string{admin.DefaultExtensionSchema}}
}

// setUp creates the roles and the extensions. It returns an error if an extension is missing,
// because the migrations need them.
func setUp(ctx context.Context, adminURL string, cfg admin.SetupConfig) error {
	return asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		report, err := admin.Setup(ctx, conn, cfg)
		if err != nil {
			return err
		}
		return report.Err()
	})
}

// create creates the program's database on a local server if it does not exist.
func (db *database) create(ctx context.Context) error {
	admin, err := url.Parse(db.admin)
	if err != nil {
		return err
	}
	admin.Path = "/postgres"
	return asAdmin(ctx, admin.String(), func(conn *pgx.Conn) error {
		var exists bool
		err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", databaseName).Scan(&exists)
		if err != nil || exists {
			return err
		}
		_, err = conn.Exec(ctx, "create database "+pgx.Identifier{databaseName}.Sanitize())
		return err
	})
}

// harden revokes from PUBLIC the privileges that a statement could use to leave its schema. A local
// server has no other database that this could break. For other servers the administrator runs
// 'init --harden'.
func (db *database) harden(ctx context.Context) error {
	if !db.local {
		return nil
	}
	return asAdmin(ctx, db.admin, func(conn *pgx.Conn) error {
		_, err := admin.Harden(ctx, conn, db.roles)
		return err
	})
}

// errNotSetUp is returned for a database in which the program's roles or extensions are missing.
var errNotSetUp = errors.New("the database is not set up")

// expectSetUp returns [errNotSetUp] or [errOtherPasswords] unless the program can work in the
// database as it is. It changes nothing there.
func (db *database) expectSetUp(ctx context.Context, o options) error {
	missing, err := db.look(ctx)
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return fmt.Errorf("%w: there is no %s; set it up with: %s", errNotSetUp, strings.Join(missing, ", no "),
			o.command("init"))
	case db.local:
		return nil
	}
	return db.checkPasswords(ctx, o)
}

// look returns the roles and extensions that the database lacks, and records the schemas of the
// extensions. An extension that existed before may be in another schema than the one that Setup
// uses.
func (db *database) look(ctx context.Context) (missing []string, err error) {
	db.extra = nil
	err = asAdmin(ctx, db.admin, func(conn *pgx.Conn) error {
		logins, err := db.missingLogins(ctx, conn)
		if err != nil {
			return err
		}
		for _, login := range logins {
			missing = append(missing, "role "+login)
		}
		for _, name := range schools.Extensions {
			schema, err := extensionSchema(ctx, conn, name)
			switch {
			case errors.Is(err, pgx.ErrNoRows):
				missing = append(missing, "extension "+name)
			case err != nil:
				return err
			case !slices.Contains(db.extra, schema):
				db.extra = append(db.extra, schema)
			}
		}
		return nil
	})
	const noSuchDatabase = "3D000"
	var pgErr *pgconn.PgError
	if db.local && errors.As(err, &pgErr) && pgErr.Code == noSuchDatabase {
		return []string{"database " + databaseName}, nil
	}
	return missing, err
}

// missingLogins returns which of the two logins do not exist.
func (db *database) missingLogins(ctx context.Context, conn *pgx.Conn) (missing []string, err error) {
	for _, login := range []string{db.roles.Owner(), db.roles.Runtime()} {
		var exists bool
		if err := conn.QueryRow(ctx, "select exists (select from pg_roles where rolname = $1)", login).
			Scan(&exists); err != nil {
			return nil, err
		}
		if !exists {
			missing = append(missing, login)
		}
	}
	return missing, nil
}

func extensionSchema(ctx context.Context, conn *pgx.Conn, name string) (schema string, err error) {
	err = conn.QueryRow(
		ctx,
		"select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = $1",
		name,
	).Scan(&schema)
	return schema, err
}

func asAdmin(ctx context.Context, adminURL string, do func(conn *pgx.Conn) error) error {
	conn, err := connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}
