package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	New(t) // skips t if there is no server
	db, closeDB, err := Open(t.Context())
	require.NoError(t, err)
	run(t, db, "create role "+db.RolePrefix+"_owner")
	assert.NoError(t, closeDB())
	expectGone(t, db)
}

func TestClosingTellsOfLeakedConnections(t *testing.T) {
	t.Parallel()
	New(t)
	db, closeDB, err := Open(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), db.URL)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	err = closeDB()
	assert.ErrorContains(t, err, "left open", "got %v, want the leak", err)
	expectGone(t, db)
}

func expectGone(t *testing.T, db *DB) {
	t.Helper()
	var roles int
	err := db.server.admin.QueryRow(t.Context(),
		"select count(*) from pg_roles where starts_with(rolname::text, $1)", db.RolePrefix).Scan(&roles)
	assert.NoError(t, err)
	assert.Zero(t, roles, "roles are left")
	assert.False(t, exists(t, db), "the database is left")
}

// The test runs the binary again as if there were no engine, no binaries and no download.
func TestExamplesAreLeftOutWithoutAServer(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	require.NoError(t, err)
	again := func(env string) (string, error) {
		cmd := exec.Command(binary, "-test.run=^ExampleOpen$", "-test.v")
		cmd.Env = []string{noServerEnv + "=1", env}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := again("")
	if assert.NoError(t, err, "none to be had: %s%v", out, err) &&
		assert.Contains(t, out, "examples are left out: "+errNoServer.Error(), "none to be had: %s%v", out, err) {
		assert.NotContains(t, out, "ExampleOpen", "none to be had: %s%v", out, err)
	}
	out, err = again("CI=1")
	if assert.Error(t, err, "none to be had, but required: %s%v", out, err) &&
		assert.Contains(t, out, "FAIL: ExampleOpen", "none to be had, but required: %s%v", out, err) {
		assert.Contains(t, out, errNoServer.Error(), "none to be had, but required: %s%v", out, err)
	}
}

func TestExamplesAreSkippedBesidesWhatTheFlagSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		run, list string
		want      bool
	}{{"", "", true}, {"Example|Doc", "", true}, {"TestNames", "", false}, {"^$", "", false}, {"", ".", false}} {
		assert.Equal(t, c.want, runsExamples(c.run, c.list), "-run %q -list %q runs examples", c.run, c.list)
	}
	got := withExamples("")
	assert.Equal(t, "^Example", got, "no pattern becomes %q", got)
	got = withExamples("TestSlow/big")
	assert.Equal(t, "TestSlow/big|^Example", got, "a pattern becomes %q", got)
}
