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

// ErrMain is returned by [Open] if the package's TestMain does not call [Main].
var ErrMain = errors.New("pgtest: the package's TestMain does not call pgtest.Main")

// Open returns an empty database for an example, which has no [testing.TB]. The name of the
// database is also its RolePrefix, so that closeDB drops roles that are named after the database.
// The example calls closeDB at its end. closeDB drops the database, also after a failed example,
// and returns an error if connections are open. ctx governs only the creation.
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

// leaveOutExamples makes the testing package skip the binary's examples if there is no server and
// none is required, because an example cannot skip itself. It starts the server only if examples
// are about to run.
func leaveOutExamples() {
	flag.Parse()
	run, skip := flag.Lookup("test.run").Value.String(), flag.Lookup("test.skip").Value.String()
	if !runsExamples(run, flag.Lookup("test.list").Value.String()) {
		return
	}
	_, err := theServer()
	var none *localpg.NoBinariesError
	if !errors.As(err, &none) || readEnviron().required() {
		return // an example that calls Open gets the error, if any
	}
	fmt.Fprintln(os.Stderr, "pgtest: examples are left out:", err)
	if err := flag.Set("test.skip", withExamples(skip)); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
	}
}

// runsExamples reports whether a binary with these flags would run its examples, if it has any.
func runsExamples(run, list string) bool {
	return list == "" && (run == "" || strings.Contains(run, "Example"))
}

// withExamples returns a pattern for -test.skip that matches all examples and all names that skip
// matches.
func withExamples(skip string) string {
	const examples = "^Example"
	if skip == "" {
		return examples
	}
	return skip + "|" + examples
}
