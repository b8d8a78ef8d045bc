package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func ExampleOpen() {
	ctx := context.Background()
	db, closeDB, err := Open(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	var name string
	err = db.Pool.QueryRow(ctx, "select current_database()").Scan(&name)
	fmt.Println(name == db.RolePrefix, err, closeDB())
	// Output: true <nil> <nil>
}

func TestClosedDatabaseLeavesNothing(t *testing.T) {
	t.Parallel()
	New(t) // skips where there is no server
	db, closeDB, err := Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run(t, db, "create role "+db.RolePrefix+"_owner")
	if err := closeDB(); err != nil {
		t.Error(err)
	}
	expectGone(t, db)
}

func TestClosingTellsOfLeakedConnections(t *testing.T) {
	t.Parallel()
	New(t)
	db, closeDB, err := Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := closeDB(); err == nil || !strings.Contains(err.Error(), "left open") {
		t.Errorf("got %v, want the leak", err)
	}
	expectGone(t, db)
}

func expectGone(t *testing.T, db *DB) {
	t.Helper()
	var roles int
	err := db.server.admin.QueryRow(t.Context(), "select count(*) from pg_roles where starts_with(rolname::text, $1)", db.RolePrefix).Scan(&roles)
	if err != nil || roles != 0 || exists(t, db) {
		t.Errorf("%d roles left, database there: %t, %v", roles, exists(t, db), err)
	}
}

// The binary is run again as where nothing is to be found: no engine, no binaries, no download.
func TestExamplesAreLeftOutWithoutAServer(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := func(env string) (string, error) {
		cmd := exec.Command(binary, "-test.run=^ExampleOpen$", "-test.v")
		cmd.Env = []string{noServerEnv + "=1", env}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := again("")
	if err != nil || !strings.Contains(out, "examples are left out: "+errNoServer.Error()) || strings.Contains(out, "ExampleOpen") {
		t.Errorf("none to be had: %s%v", out, err)
	}
	out, err = again("CI=1")
	if err == nil || !strings.Contains(out, "FAIL: ExampleOpen") || !strings.Contains(out, errNoServer.Error()) {
		t.Errorf("none to be had, but required: %s%v", out, err)
	}
}

func TestExamplesAreSkippedBesidesWhatTheFlagSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		run, list string
		want      bool
	}{{"", "", true}, {"Example|Doc", "", true}, {"TestNames", "", false}, {"^$", "", false}, {"", ".", false}} {
		if got := runsExamples(c.run, c.list); got != c.want {
			t.Errorf("-run %q -list %q runs examples: %t", c.run, c.list, got)
		}
	}
	if got := withExamples(""); got != "^Example" {
		t.Errorf("no pattern becomes %q", got)
	}
	if got := withExamples("TestSlow/big"); got != "TestSlow/big|^Example" {
		t.Errorf("a pattern becomes %q", got)
	}
}
