package pgtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/oryne/pgtenant/internal/localpg"
)

// ErrMain is returned by [Open] where the package's TestMain does not call [Main].
var ErrMain = errors.New("pgtest: the package's TestMain does not call pgtest.Main")

// Open returns an empty database for an example, which has no [testing.TB]. The database has the
// name of its RolePrefix, so that roles that take their names from the database's are dropped
// with it. The example calls closeDB at its end: it drops the database, whatever has become of
// the example, and returns an error where connections are left open.
func Open(ctx context.Context) (db *DB, closeDB func() error, err error) {
	if !shared.main {
		return nil, nil, ErrMain
	}
	s, err := theServer()
	if err != nil {
		return nil, nil, fmt.Errorf("pgtest: %w", err)
	}
	name := "t" + newID()
	if db, err = s.create(ctx, name, name, "template1"); err != nil {
		return nil, nil, fmt.Errorf("pgtest: %w", err)
	}
	return db, db.closeExample, nil
}

func (db *DB) closeExample() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	db.Pool.Close()
	leaks, err := db.leaks(ctx)
	if leaks != "" {
		err = errors.Join(err, fmt.Errorf("pgtest: connections are left open: %s", leaks))
	}
	return errors.Join(err, db.server.dropDatabase(ctx, db.Name), db.server.dropRoles(ctx, db.RolePrefix))
}

// leaveOutExamples has the testing package skip the binary's examples where no server is to be had
// and none is required: an example cannot skip itself. It starts the server, but only where
// examples are about to run.
func leaveOutExamples() {
	flag.Parse()
	run, skip := flag.Lookup("test.run").Value.String(), flag.Lookup("test.skip").Value.String()
	if !runsExamples(run, flag.Lookup("test.list").Value.String()) {
		return
	}
	_, err := theServer()
	var none *localpg.NoBinariesError
	if !errors.As(err, &none) || readEnviron().required() {
		return // an example that calls Open gets the error, if there is one
	}
	fmt.Fprintln(os.Stderr, "pgtest: examples are left out:", err)
	if err := flag.Set("test.skip", withExamples(skip)); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
	}
}

// runsExamples reports whether a binary with these flags is meant to run its examples, if it has
// any.
func runsExamples(run, list string) bool {
	return list == "" && (run == "" || strings.Contains(run, "Example"))
}

// withExamples is a pattern for -test.skip that matches all examples and what skip matches.
func withExamples(skip string) string {
	const examples = "^Example"
	if skip == "" {
		return examples
	}
	return skip + "|" + examples
}
