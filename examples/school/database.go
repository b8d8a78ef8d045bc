package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/schemactx"
)

const (
	databaseName = "school"    // the database that the program makes on a PostgreSQL of its own
	baseDomain   = "localhost" // each school is below it: browsers and curl take it for this machine
)

var errBadURL = errors.New("--database-url is not a URL of the form postgres://user:password@host:port/database")

// database is where the program works: the URLs of its three logins.
type database struct {
	shown   string // for people: without a password
	admin   string // makes the others
	owner   string // migrates and creates schools; never serves a request
	runtime string // serves requests; has no rights of its own
	roles   schemactx.RoleNames
	extra   []string              // schemas of extensions, on the search path of every school
	setup   schemactx.SetupConfig // which has made the roles and extensions
	key     key                   // of the data directory
	gone    <-chan struct{}       // closed when our own PostgreSQL has ended; nil for another's
	close   func()
}

// openDatabase starts PostgreSQL, or finds another's, and sets up the roles.
func openDatabase(ctx context.Context, o options, stderr io.Writer) (*database, error) {
	return findDatabase(ctx, o, stderr, startServer)
}

// joinDatabase does the same beside the program that serves, whose PostgreSQL it uses then.
func joinDatabase(ctx context.Context, o options, stderr io.Writer) (*database, error) {
	return findDatabase(ctx, o, stderr, func(ctx context.Context, cfg localpg.Config) (*database, error) {
		db, err := startServer(ctx, cfg)
		if !errors.Is(err, localpg.ErrInUse) {
			return db, err
		}
		server, err := localpg.Find(cfg.DataDir)
		if err != nil {
			return nil, err
		}
		return openLocal(ctx, server)
	})
}

// findDatabase takes the database of --database-url, or has a PostgreSQL of our own that local finds.
func findDatabase(
	ctx context.Context, o options, stderr io.Writer,
	local func(ctx context.Context, cfg localpg.Config) (*database, error),
) (*database, error) {
	if err := checkDataDir(o.dataDir); err != nil {
		return nil, err
	}
	if o.databaseURL != "" {
		key, err := loginKey(o.dataDir)
		if err != nil {
			return nil, err
		}
		return openRemote(ctx, o, key)
	}
	db, err := local(ctx, localpg.Config{DataDir: filepath.Join(o.dataDir, clusterDir), Logger: o.logger(stderr)})
	if err != nil {
		return nil, err
	}
	if db.key, err = loginKey(o.dataDir); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

// startServer starts a PostgreSQL of our own.
func startServer(ctx context.Context, cfg localpg.Config) (*database, error) {
	server, err := localpg.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	db, err := openLocal(ctx, server)
	if err != nil {
		_ = server.Stop(context.WithoutCancel(ctx)) // err says more
		return nil, err
	}
	db.gone = server.Done()
	db.close = func() { _ = server.Stop(context.WithoutCancel(ctx)) }
	return db, nil
}

// openLocal uses a server of our own. Its socket lets its user in without a password, so
// the logins need none. Nobody else has a database there, so that it is hardened without asking; with --database-url that is
// for 'init --harden' to do.
func openLocal(ctx context.Context, server interface {
	URL(user, database string) string
},
) (*database, error) {
	const admin = "postgres"
	if err := createDatabase(ctx, server.URL(admin, "postgres")); err != nil {
		return nil, err
	}
	setup := setupConfig()
	done, err := setUp(ctx, server.URL(admin, databaseName), setup)
	if err != nil {
		return nil, err
	}
	roles := done.Roles
	if err := harden(ctx, server.URL(admin, databaseName), roles); err != nil {
		return nil, err
	}
	return &database{
		shown:   server.URL(admin, databaseName),
		admin:   server.URL(admin, databaseName),
		owner:   server.URL(roles.Owner(), databaseName),
		runtime: server.URL(roles.Runtime(), databaseName),
		roles:   roles,
		extra:   schemasOf(done),
		setup:   setup,
		close:   func() {},
	}, nil
}

// openRemote uses the database of --database-url. When it makes the two logins, it derives their
// passwords from a key in the data directory, so that every process with that directory has the
// same ones. Existing logins keep their passwords: a program with another data directory may be
// serving with them.
func openRemote(ctx context.Context, o options, key key) (*database, error) {
	admin, err := url.Parse(o.databaseURL)
	if err != nil || admin.Scheme != "postgres" && admin.Scheme != "postgresql" {
		return nil, errBadURL
	}
	roles := schemactx.DefaultRoleNames(filepath.Base(admin.Path))
	db := &database{
		shown:   withoutPassword(admin),
		admin:   o.databaseURL,
		setup:   setupConfig(),
		owner:   withUser(admin, roles.Owner(), key.password(roles.Owner())),
		runtime: withUser(admin, roles.Runtime(), key.password(roles.Runtime())),
		roles:   roles,
		key:     key,
		close:   func() {},
	}
	db.setup.Roles = roles
	cfg := db.setup
	if o.newPasswords {
		cfg.OwnerPassword, cfg.RuntimePassword = key.password(roles.Owner()), key.password(roles.Runtime())
	} else if err := db.passwordsOfNew(ctx, &cfg, key); err != nil {
		return nil, err
	}
	done, err := setUp(ctx, o.databaseURL, cfg)
	if err != nil {
		return nil, err
	}
	db.extra = schemasOf(done)
	return db, db.checkPasswords(ctx, o)
}

// passwordsOfNew puts passwords into cfg for those of the two logins that do not exist yet.
func (db *database) passwordsOfNew(ctx context.Context, cfg *schemactx.SetupConfig, key key) error {
	return asAdmin(ctx, db.admin, func(conn *pgx.Conn) error {
		for login, password := range map[string]*string{db.roles.Owner(): &cfg.OwnerPassword, db.roles.Runtime(): &cfg.RuntimePassword} {
			var exists bool
			if err := conn.QueryRow(ctx, "select exists (select from pg_roles where rolname = $1)", login).Scan(&exists); err != nil {
				return err
			}
			if !exists {
				*password = key.password(login)
			}
		}
		return nil
	})
}

// errOtherPasswords is returned for a database whose logins another data directory has made.
var errOtherPasswords = errors.New("the logins of the database have passwords of another data directory")

// checkPasswords finds out whether the logins have the passwords of the data directory.
func (db *database) checkPasswords(ctx context.Context, o options) error {
	for _, login := range []string{db.owner, db.runtime} {
		conn, err := connect(ctx, login)
		var pgErr *pgconn.PgError
		switch {
		case errors.As(err, &pgErr) && pgErr.Code == "28P01":
			return fmt.Errorf("%w: give --data-dir the directory that was used first; or set new passwords, "+
				"with which programs with that directory can no longer log in: %s",
				errOtherPasswords, o.command("init", "--new-passwords"))
		case err != nil:
			return err
		}
		if err := conn.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

// withoutPassword is a URL to show to people. psql asks for the password, or has it from elsewhere.
func withoutPassword(u *url.URL) string {
	other := *u
	if u.User != nil {
		other.User = url.User(u.User.Username())
	}
	query := other.Query()
	for _, secret := range []string{"password", "sslpassword"} {
		if query.Has(secret) {
			query.Del(secret)
			other.RawQuery = query.Encode()
		}
	}
	return other.String()
}

func withUser(u *url.URL, user, password string) string {
	other := *u
	other.User = url.UserPassword(user, password)
	return other.String()
}

// createDatabase makes the program's database where it is not there yet.
func createDatabase(ctx context.Context, adminURL string) error {
	return asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		var exists bool
		err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", databaseName).Scan(&exists)
		if err != nil || exists {
			return err
		}
		_, err = conn.Exec(ctx, "create database "+pgx.Identifier{databaseName}.Sanitize())
		return err
	})
}

// setupConfig is what every database of schools needs.
func setupConfig() schemactx.SetupConfig {
	return schemactx.SetupConfig{Extensions: schools.Extensions, ExtraSearchPath: []string{schemactx.DefaultExtensionSchema}}
}

// setUp makes the roles and the extensions. Without the extensions there are no schools: the migrations need them.
func setUp(ctx context.Context, adminURL string, cfg schemactx.SetupConfig) (report schemactx.SetupReport, err error) {
	err = asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		if report, err = schemactx.Setup(ctx, conn, cfg); err != nil {
			return err
		}
		return report.Err()
	})
	return report, err
}

// schemasOf returns where the extensions are: in a database that had them before, not where we would have put them.
func schemasOf(report schemactx.SetupReport) (schemas []string) {
	for _, x := range report.Extensions {
		if !slices.Contains(schemas, x.Schema) {
			schemas = append(schemas, x.Schema)
		}
	}
	return schemas
}

// harden takes from everybody what a statement could leave its scope with.
func harden(ctx context.Context, adminURL string, roles schemactx.RoleNames) error {
	return asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		_, err := schemactx.Harden(ctx, conn, roles)
		return err
	})
}

func asAdmin(ctx context.Context, adminURL string, do func(conn *pgx.Conn) error) error {
	conn, err := connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}
