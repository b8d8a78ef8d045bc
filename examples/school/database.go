package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

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
	gone    <-chan struct{} // closed when our own PostgreSQL has ended; nil for another's
	close   func()
}

// openDatabase finds or starts PostgreSQL and sets up the roles.
func openDatabase(ctx context.Context, o options, stdout io.Writer) (*database, error) {
	if err := checkDataDir(o.dataDir); err != nil {
		return nil, err
	}
	if o.databaseURL != "" {
		return openRemote(ctx, o)
	}
	fmt.Fprintf(stdout, "Starting PostgreSQL; its data is in %s\n", o.dataDir)
	server, err := localpg.Start(ctx, localpg.Config{DataDir: filepath.Join(o.dataDir, clusterDir)})
	if err != nil {
		return nil, err
	}
	db, err := openLocal(ctx, server)
	if err != nil {
		_ = server.Stop(context.WithoutCancel(ctx)) // err says more
		return nil, err
	}
	return db, nil
}

// openLocal uses a server of our own. Its socket lets its user in without a password, so
// the logins need none.
func openLocal(ctx context.Context, server *localpg.Server) (*database, error) {
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
		gone:    server.Done(),
		close:   func() { _ = server.Stop(context.WithoutCancel(ctx)) },
	}, nil
}

// openRemote uses the database of --database-url. The two logins get passwords made from a
// key in the data directory, so that every start, and every process, has the same ones.
func openRemote(ctx context.Context, o options) (*database, error) {
	admin, err := url.Parse(o.databaseURL)
	if err != nil || admin.Scheme != "postgres" && admin.Scheme != "postgresql" {
		return nil, errors.New("--database-url is not a URL of the form postgres://user:password@host:port/database")
	}
	key, err := loginKey(o.dataDir)
	if err != nil {
		return nil, err
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

func openPool(ctx context.Context, databaseURL string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unreachable(err)
	}
	return pool, nil
}

// unreachable says in one sentence why there is no connection.
func unreachable(err error) error {
	var connectErr *pgconn.ConnectError
	if !errors.As(err, &connectErr) {
		return err
	}
	where := net.JoinHostPort(connectErr.Config.Host, fmt.Sprint(connectErr.Config.Port))
	var pgErr *pgconn.PgError
	var opErr *net.OpError
	switch {
	case errors.As(err, &pgErr):
		return fmt.Errorf("the database at %s refuses the connection: %s", where, pgErr.Message)
	case errors.As(err, &opErr):
		return fmt.Errorf("the database at %s cannot be reached: %w", where, rootCause(opErr))
	}
	return fmt.Errorf("the database at %s cannot be reached: %w", where, err)
}

// What the data directory holds, and nothing else.
const (
	clusterDir = "postgres"
	keyFile    = "logins.key"
)

// checkDataDir refuses a directory that holds what we have not made.
func checkDataDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot use the data directory: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); name != clusterDir && name != keyFile && !strings.HasPrefix(name, "."+keyFile) {
			return fmt.Errorf("the data directory %s is not ours: it holds %s; name an empty or a new directory", dir, e.Name())
		}
	}
	return nil
}

// defaultDataDir is where data is kept that --data-dir puts nowhere else. PostgreSQL does
// not run as root, and the user it then runs as cannot enter root's home.
func defaultDataDir() string {
	if os.Getuid() == 0 {
		return "/var/lib/pgtenant/school"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pgtenant", "school")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "pgtenant-school")
	}
	return filepath.Join(home, ".local", "share", "pgtenant", "school")
}
