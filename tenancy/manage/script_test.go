package manage_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oryne/pgtenant/internal/pgtest"
)

// The scripts run the commands as a user does. Each has a database of its own, which is set up
// unless the script does that itself.
func TestScripts(t *testing.T) {
	t.Parallel()
	serverVersion = pgtest.Version(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			t := env.T().(testing.TB)
			p, pg := newProgram(t)
			p.store = env.Getenv("WORK") + "/backups"
			for name, value := range p.env() {
				env.Setenv(name, value)
			}
			env.Values[dbKey{}] = pg
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"sql":  runSQL,
			"code": expectCode,
		},
	})
}

type dbKey struct{}

// runSQL runs statements as the superuser: sql 'update ...'.
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sql STATEMENTS")
	}
	conn, err := ts.Value(dbKey{}).(*pgtest.DB).Pool.Acquire(scriptContext(ts))
	ts.Check(err)
	defer conn.Release()
	_, err = conn.Conn().PgConn().Exec(scriptContext(ts), args[0]).ReadAll()
	ts.Check(err)
}
