package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/schemactx"
)

// databaseName is the database that the program makes on a PostgreSQL of its own.
const databaseName = "school"

// database is where the program works: the URLs of its three logins.
type database struct {
	shown   string // for people: without a password
	owner   string // migrates and creates schools; never serves a request
	runtime string // serves requests; has no rights of its own
	roles   schemactx.RoleNames
	key     key             // of the data directory
	gone    <-chan struct{} // closed when our own PostgreSQL has ended; nil for another's
	close   func()
}

// openDatabase finds or starts PostgreSQL and sets up the roles.
func openDatabase(ctx context.Context, o options, stdout io.Writer) (*database, error) {
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
	db, err := startDatabase(ctx, o, stdout)
	if err != nil {
		return nil, err
	}
	if db.key, err = loginKey(o.dataDir); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

// startDatabase starts a PostgreSQL of our own, or finds the one of the program that serves.
func startDatabase(ctx context.Context, o options, stdout io.Writer) (*database, error) {
	dir := filepath.Join(o.dataDir, clusterDir)
	if o.command == nil {
		fmt.Fprintf(stdout, "Starting PostgreSQL; its data is in %s\n", o.dataDir)
	}
	server, err := localpg.Start(ctx, localpg.Config{DataDir: dir})
	if errors.Is(err, localpg.ErrInUse) && o.command != nil {
		return joinLocal(ctx, dir)
	}
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

// joinLocal is for a command beside the program that serves: it uses that one's PostgreSQL.
func joinLocal(ctx context.Context, dir string) (*database, error) {
	server, err := localpg.Find(dir)
	if err != nil {
		return nil, err
	}
	return openLocal(ctx, server)
}

// openLocal uses a server of our own. Its socket lets its user in without a password, so
// the logins need none.
func openLocal(ctx context.Context, server interface {
	URL(user, database string) string
},
) (*database, error) {
	const admin = "postgres"
	if err := createDatabase(ctx, server.URL(admin, "postgres")); err != nil {
		return nil, err
	}
	roles, err := setupRoles(ctx, server.URL(admin, databaseName), schemactx.SetupConfig{})
	if err != nil {
		return nil, err
	}
	return &database{
		shown:   server.URL(admin, databaseName),
		owner:   server.URL(roles.Owner(), databaseName),
		runtime: server.URL(roles.Runtime(), databaseName),
		roles:   roles,
		close:   func() {},
	}, nil
}

// openRemote uses the database of --database-url. The two logins get passwords made from a
// key in the data directory, so that every start, and every process, has the same ones.
func openRemote(ctx context.Context, o options, key key) (*database, error) {
	admin, err := url.Parse(o.databaseURL)
	if err != nil || admin.Scheme != "postgres" && admin.Scheme != "postgresql" {
		return nil, errors.New("--database-url is not a URL of the form postgres://user:password@host:port/database")
	}
	names := schemactx.DefaultRoleNames(filepath.Base(admin.Path))
	ownerPassword, runtimePassword := key.password(names.Owner()), key.password(names.Runtime())
	roles, err := setupRoles(ctx, o.databaseURL, schemactx.SetupConfig{
		Roles: names, OwnerPassword: ownerPassword, RuntimePassword: runtimePassword,
	})
	if err != nil {
		return nil, err
	}
	return &database{
		shown:   admin.Redacted(),
		owner:   withUser(admin, roles.Owner(), ownerPassword),
		runtime: withUser(admin, roles.Runtime(), runtimePassword),
		roles:   roles,
		key:     key,
		close:   func() {},
	}, nil
}

func withUser(u *url.URL, user, password string) string {
	other := *u
	other.User = url.UserPassword(user, password)
	return other.String()
}

// createDatabase makes the program's database where it is not there yet.
func createDatabase(ctx context.Context, adminURL string) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return unreachable(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", databaseName).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{databaseName}.Sanitize())
	return err
}

func setupRoles(ctx context.Context, adminURL string, cfg schemactx.SetupConfig) (schemactx.RoleNames, error) {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return schemactx.RoleNames{}, unreachable(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	report, err := schemactx.Setup(ctx, conn, cfg)
	return report.Roles, err
}
