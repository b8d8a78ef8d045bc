package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/hint"
	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/schemactx"
)

const (
	databaseName = "school"    // the database that the program creates on a local server
	baseDomain   = "localhost" // parent of the schools' domains; browsers and curl resolve it to this machine
)

var errBadURL = errors.New("--database-url is not a URL of the form postgres://USER@HOST:PORT/DATABASE")

// database holds the URLs of the program's three logins, and what else it knows of its database.
type database struct {
	shown   string // for output: without a password
	admin   string // creates the other logins
	owner   string // migrates and creates schools; never serves a request
	runtime string // serves requests; has no rights of its own
	roles   schemactx.RoleNames
	extra   []string        // schemas of extensions, in the search_path of every school
	key     key             // of the data directory
	local   bool            // the program runs its own PostgreSQL server
	gone    <-chan struct{} // closed when the local server has stopped; nil for a remote one
	close   func()
}

// openDatabase starts the local PostgreSQL, or uses that of --database-url, and sets it up.
func openDatabase(ctx context.Context, o options, stderr io.Writer) (*database, error) {
	db, err := findDatabase(ctx, o, stderr, startServer, loginKey)
	if err != nil {
		return nil, err
	}
	if err := db.setUp(ctx, o); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

// joinDatabase opens a database that is already set up. It can run beside a serving process and
// then uses its PostgreSQL. It changes nothing in the database, because the command may be
// read-only.
func joinDatabase(ctx context.Context, o options, stderr io.Writer) (*database, error) {
	db, err := findDatabase(ctx, o, stderr, joinServer, existingKey)
	if err != nil {
		return nil, err
	}
	if err := db.expectSetUp(ctx, o); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

// findDatabase uses the database of --database-url, or calls local to find or start a local
// PostgreSQL. keyOf reads the key for --database-url. It changes nothing in the database.
func findDatabase(
	ctx context.Context, o options, stderr io.Writer,
	local func(ctx context.Context, cfg localpg.Config) (*database, error), keyOf func(dataDir string) (key, error),
) (*database, error) {
	if err := checkDataDir(o.dataDir); err != nil {
		return nil, err
	}
	if o.databaseURL != "" {
		key, err := keyOf(o.dataDir)
		if err != nil {
			return nil, err
		}
		return remoteDatabase(o, key)
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

// startServer starts a local PostgreSQL.
func startServer(ctx context.Context, cfg localpg.Config) (*database, error) {
	server, err := localpg.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	db := localDatabase(server)
	db.gone = server.Done()
	db.close = func() { _ = server.Stop(context.WithoutCancel(ctx)) }
	return db, nil
}

// joinServer starts a local PostgreSQL, or uses the one that another process has started.
func joinServer(ctx context.Context, cfg localpg.Config) (*database, error) {
	db, err := startServer(ctx, cfg)
	if !errors.Is(err, localpg.ErrInUse) {
		return db, err
	}
	server, err := localpg.Find(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	return localDatabase(server), nil
}

// localDatabase returns the database of a local server. The socket of the server accepts its
// operating-system user without a password, so that the logins need none.
func localDatabase(server interface {
	URL(user, database string) string
},
) *database {
	roles := schemactx.DefaultRoleNames(databaseName)
	admin := server.URL("postgres", databaseName)
	return &database{
		local: true, shown: admin, admin: admin, roles: roles,
		owner:   server.URL(roles.Owner(), databaseName),
		runtime: server.URL(roles.Runtime(), databaseName),
		close:   func() {},
	}
}

// remoteDatabase returns the database of --database-url. The passwords of its two logins are
// derived from a key in the data directory. Every process with that directory therefore has the
// same passwords.
func remoteDatabase(o options, key key) (*database, error) {
	admin, err := url.Parse(o.databaseURL)
	if err != nil || admin.Scheme != "postgres" && admin.Scheme != "postgresql" {
		return nil, errBadURL
	}
	roles := schemactx.DefaultRoleNames(filepath.Base(admin.Path))
	return &database{
		shown:   hint.WithoutPassword(o.databaseURL),
		admin:   o.databaseURL,
		owner:   withUser(admin, roles.Owner(), key.password(roles.Owner())),
		runtime: withUser(admin, roles.Runtime(), key.password(roles.Runtime())),
		roles:   roles,
		key:     key,
		close:   func() {},
	}, nil
}

// errOtherPasswords is returned if another data directory has set the passwords of the logins.
var errOtherPasswords = errors.New("the logins of the database have passwords of another data directory")

// checkPasswords returns [errOtherPasswords] unless the logins have the passwords of this data
// directory.
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

func withUser(u *url.URL, user, password string) string {
	other := *u
	other.User = url.UserPassword(user, password)
	return other.String()
}
