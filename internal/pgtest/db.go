package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/localpg"
)

// DB is the database of one test or example.
type DB struct {
	URL  string        // for the administrator
	Name string        // of the database
	Pool *pgxpool.Pool // of the administrator; closed after the test
	// RolePrefix begins the names of the test's roles, as roles belong to the whole server. All roles
	// whose names begin with it and an underscore are dropped after the test.
	RolePrefix string

	server *server
}

// New returns an empty database for t. It is dropped after t, unless t fails.
func New(t testing.TB) *DB {
	t.Helper()
	return newDB(t, "template1")
}

// Template is a database that is built once per test binary and cloned for each test. The zero
// value with a Build is valid. A Template must not be copied. Its methods are safe for concurrent
// use.
type Template struct {
	// Build fills the database. It must close its connections before it returns. All clones share the
	// roles that it creates.
	Build func(ctx context.Context, db *DB) error

	built chan struct{} // closed when built or failed; shared.mu guards the field
	db    *DB
	err   error
}

// New returns a clone of the template for t. Its RolePrefix is the template's.
func (tpl *Template) New(t testing.TB) *DB {
	t.Helper()
	s := serverFor(t)
	tpl.ensure(s)
	if tpl.err != nil {
		t.Fatalf("pgtest: build template: %v", tpl.err)
	}
	db := newDB(t, tpl.db.Name)
	db.RolePrefix = tpl.db.RolePrefix
	return db
}

// ensure builds the template, or waits for the test that is building it.
func (tpl *Template) ensure(s *server) {
	shared.mu.Lock()
	built := tpl.built
	if built == nil {
		tpl.built = make(chan struct{})
	}
	shared.mu.Unlock()
	if built != nil {
		<-built
		return
	}
	defer close(tpl.built)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	id := newID()
	tpl.db, tpl.err = s.create(ctx, "pgtest_"+id+"_template", "t"+id, "template1")
	if tpl.err != nil {
		return
	}
	shared.mu.Lock()
	shared.templates = append(shared.templates, tpl.db.Name)
	shared.prefixes = append(shared.prefixes, tpl.db.RolePrefix)
	shared.mu.Unlock()
	tpl.err = tpl.Build(ctx, tpl.db)
	tpl.db.Pool.Close()
}

// URLAs returns the URL of the database for another login.
func (db *DB) URLAs(user, password string) string {
	u, err := url.Parse(db.URL)
	if err != nil {
		panic(err) // the pool has parsed it
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// serverFor returns the server. If there is none, it skips or fails t.
func serverFor(t testing.TB) *server {
	t.Helper()
	if !shared.main {
		t.Fatal("pgtest: the package's TestMain does not call pgtest.Main")
	}
	s, err := theServer()
	var none *localpg.NoBinariesError
	switch {
	case err == nil:
	case errors.As(err, &none) && !readEnviron().required():
		t.Skipf("pgtest: %v", err)
	default:
		t.Fatalf("pgtest: %v", err)
	}
	return s
}

func newDB(t testing.TB, template string) *DB {
	t.Helper()
	s := serverFor(t)
	id := newID()
	db, err := s.create(t.Context(), "pgtest_"+id+"_"+plain(t.Name()), "t"+id, template)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { db.finish(t, template == "template1") })
	return db
}

// newID returns a random part of a name that is unique on the server.
func newID() string { return strings.ToLower(rand.Text()[:8]) }

// create creates a database and opens the administrator's pool.
func (s *server) create(ctx context.Context, name, rolePrefix, template string) (*DB, error) {
	db := &DB{URL: s.urlOf(name), Name: name, RolePrefix: rolePrefix, server: s}
	sql := "create database " + pgx.Identifier{name}.Sanitize() + " template " + pgx.Identifier{template}.Sanitize()
	if err := s.exec(ctx, sql); err != nil {
		return nil, err
	}
	var err error
	db.Pool, err = pgxpool.New(ctx, db.URL)
	return db, err
}

// exec runs a statement on the server. It retries for up to 20 seconds while the template is in use
// by a concurrent clone (55006), which happens before PostgreSQL 15.
func (s *server) exec(ctx context.Context, sql string) error {
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := s.admin.Exec(ctx, sql)
		if !isState(err, "55006") || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// cleanupTimeout limits the clean-up after a test.
const cleanupTimeout = time.Minute

// finish fails t if connections are open, and drops the database if t has passed.
func (db *DB) finish(t testing.TB, ownRoles bool) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	db.Pool.Close()
	if leaks, err := db.leaks(ctx); err != nil || leaks != "" {
		t.Errorf("pgtest: connections are left open: %s %v", leaks, err)
	}
	if t.Failed() {
		t.Logf("pgtest: database kept: %s", db.URL)
		return
	}
	if err := db.server.dropDatabase(ctx, db.Name); err != nil {
		t.Errorf("pgtest: %v", err)
		return
	}
	if !ownRoles {
		return
	}
	if err := db.server.dropRoles(ctx, db.RolePrefix); err != nil {
		t.Errorf("pgtest: %v", err)
	}
}

// leaks returns the last statements of the connections to the database. It waits up to 3 seconds
// for backends that are closing.
func (db *DB) leaks(ctx context.Context) (string, error) {
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var leaks string
		err := db.server.admin.QueryRow(ctx, `
			select coalesce(string_agg(format('%s (%s): %s', usename, state, query), '; '), '')
			from pg_stat_activity where datname = $1 and backend_type = 'client backend'`, db.Name).
			Scan(&leaks)
		if err != nil || leaks == "" || time.Now().After(deadline) {
			return leaks, err
		}
	}
}

func (s *server) dropDatabase(ctx context.Context, name string) error {
	return s.exec(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
}

func (s *server) dropRoles(ctx context.Context, prefix string) error {
	rows, err := s.admin.Query(ctx, "select rolname from pg_roles where starts_with(rolname::text, $1)", prefix+"_")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		name, err := pgx.RowTo[string](row)
		return pgx.Identifier{name}.Sanitize(), err
	})
	if err != nil || len(names) == 0 {
		return err
	}
	// One statement drops all of them. Since PostgreSQL 16 a role that granted a membership can be
	// dropped only after the membership. The statement first removes the memberships of all the roles
	// that it names.
	return s.exec(ctx, "drop role "+strings.Join(names, ", "))
}

// plain turns the name of a test into a part of a database name.
func plain(test string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, test)
	return name[:min(len(name), 40)]
}

func isState(err error, state string) bool {
	var pgErr interface{ SQLState() string }
	return errors.As(err, &pgErr) && pgErr.SQLState() == state
}

// Version returns the major version of the server.
func Version(t testing.TB) int {
	t.Helper()
	var version int
	err := serverFor(
		t,
	).admin.QueryRow(context.Background(), "select current_setting('server_version_num')::int / 10000").
		Scan(&version)
	if err != nil {
		t.Fatal(fmt.Errorf("pgtest: %w", err))
	}
	return version
}
