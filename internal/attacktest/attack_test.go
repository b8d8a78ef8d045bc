package attacktest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// The attacks are data: what tenant a tries against tenant b, and the outcome that is wanted at
// each level. The outcomes of a run are written to ATTACKS.md.

var update = flag.Bool("update", false, "write ATTACKS.md from what this run sees")

// attack is one attack of the matrix.
type attack struct {
	row   int    // the row in ATTACKS.md; attacks of one kind share a row
	title string // what the attacker wants or does
	setup string // a script that the owner runs before the attack
	sql   []string
	// variants says that each element of sql is a variant of the attack. Otherwise the elements are
	// the steps of one attack.
	variants bool
	run      func(a *attempt, sql []string) (success bool)
	want     wants
	since    map[int]wants // by major version: the outcomes from that version on, if they differ
	follows  string        // what follows in the columns in which it succeeds, for ATTACKS.md

	limits schemactx.Limits // of both tenants
	found  admin.Code       // the code of Check for the set-up, at Roles and Logins
	reset  bool             // PgBouncer's server_reset_query_always stops what leaks through PgBouncer
}

// attacks are all attacks, in the order of their rows.
var attacks = slices.Concat(
	readAttacks,
	leaveAttacks,
	sessionAttacks,
	nameAttacks,
	plantedAttacks,
	catalogAttacks,
	harmAttacks,
	hiddenAttacks,
	commitAttacks,
)

// wants are the wanted outcomes in the order of columns. An outcome is leaks, nothing, stopped, or
// the SQLSTATE or the name of the error that stops the attack.
type wants [5]string

const (
	leaks   = "leaks"     // the attack succeeds
	nothing = "no effect" // no statement failed, and the attack had no effect
	stopped = "stopped"   // the attack failed, by any error
)

// everywhere returns the same outcome for every column.
func everywhere(outcome string) wants {
	return wants{outcome, outcome, outcome, outcome, outcome}
}

// butPathOnly returns leaks for PathOnly and outcome for all other columns.
func butPathOnly(outcome string) wants {
	return wants{leaks, outcome, outcome, outcome, outcome}
}

// wanted returns the wanted outcome in a column on a major version of PostgreSQL.
func (c *attack) wanted(col, version int) string {
	want, newest := c.want, 0
	for since, w := range c.since {
		if version >= since && since > newest {
			want, newest = w, since
		}
	}
	return want[col]
}

// attempt is one run of an attack in one column.
type attempt struct {
	*world
	t    *testing.T
	ctx  context.Context
	db   func(ctx context.Context) *schemactx.DB // returns the DB for the tenant of ctx
	err  error                                   // the first error of any statement
	loot strings.Builder                         // all values and error texts that the attacker has received
}

// TestAttacks runs every attack in every column and compares the outcomes with ATTACKS.md.
func TestAttacks(t *testing.T) {
	version := pgtest.Version(t)
	seen := tryAll(t, version, "")
	if !t.Failed() {
		checkFile(t, version, seen)
	}
}

// An extra schema on the path of every scope changes no outcome. In CI, on the newest version, the
// test tries every column; otherwise it tries only Roles.
func TestAttacksWithAnExtraSchemaOnThePath(t *testing.T) {
	version, only := pgtest.Version(t), "Roles"
	if os.Getenv("CI") != "" && version >= 18 {
		only = ""
	}
	tryAll(t, version, only, admin.DefaultExtensionSchema)
}

// tryAll runs every attack in every column, or only in the column only, with extra schemas on the
// path. It returns the outcomes by column and attack.
func tryAll(t *testing.T, version int, only string, extra ...string) [][]string {
	seen := make([][]string, len(columns))
	t.Run("levels", func(t *testing.T) {
		for col := range columns {
			if only != "" && columns[col].name != only {
				continue
			}
			t.Run(columns[col].name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, &columns[col], extra...)
				seen[col] = make([]string, len(attacks))
				for i := range attacks {
					seen[col][i] = w.attack(t, &attacks[i])
					judge(t, &attacks[i], col, version, seen[col][i])
				}
			})
		}
	})
	return seen
}

// judge compares an outcome with the wanted one.
func judge(t *testing.T, c *attack, col, version int, got string) {
	t.Helper()
	want := c.wanted(col, version)
	ok := got == want || want == stopped && got != leaks && got != ""
	assert.True(t, ok, "%d %s/%s: %s, want %s", c.row, c.title, columns[col].name, got, want)
}

// attack runs all variants of c and returns their outcome, which must be the same for all.
func (w *world) attack(t *testing.T, c *attack) string {
	var outcome string
	tries := [][]string{c.sql}
	if c.variants {
		tries = nil
		for _, sql := range c.sql {
			tries = append(tries, []string{sql})
		}
	}
	for i, sql := range tries {
		var got string
		t.Run(fmt.Sprintf("%d %s", c.row, c.title), func(t *testing.T) { got = w.try(t, c, sql) })
		if i > 0 {
			assert.Equal(t, outcome, got, "%d %s: %q differs from the variants before it", c.row, c.title, sql)
		}
		outcome = got
	}
	return outcome
}

func (w *world) try(t *testing.T, c *attack, sql []string) string {
	if !w.pristine || c.setup != "" {
		w.reset(t, c.setup)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w.limits = c.limits
	a := &attempt{world: w, t: t, ctx: ctx, db: w.open(t, 1)}
	a.expectOneBackend()
	named := make([]string, len(sql))
	for i := range sql {
		named[i] = w.named(sql[i])
	}
	w.pristine = false
	success := c.run(a, named)
	if c.found != "" && w.column.level != schemactx.PathOnly {
		w.expectFinding(t, c.found)
	}
	if success {
		return leaks
	}
	// A refused name has reached no server, so the database is unchanged.
	w.pristine = how(a.err) == "NameError" && c.setup == ""
	if a.err != nil {
		t.Logf("%q: %v", named, a.err)
	}
	return how(a.err)
}

// expectOneBackend fails the test unless one backend serves both tenants in the columns in which
// they share a connection. Otherwise a tenant could not find state that the other has left on a
// connection.
func (a *attempt) expectOneBackend() {
	a.t.Helper()
	var pids [2]int
	for i, schema := range []string{"tenant_a", "tenant_b"} {
		ctx := a.in(schema)
		require.NoError(a.t, a.db(ctx).QueryRow(ctx, "select pg_backend_pid()").Scan(&pids[i]))
	}
	require.Equal(a.t, a.column.shared, pids[0] == pids[1], "the tenants share a backend: %v", pids)
}

func (a *attempt) in(schema string) context.Context { return schemactx.NewContext(a.ctx, schema) }

// met stores the first error.
func (a *attempt) met(err error) {
	if a.err == nil {
		a.err = err
	}
}

// alone runs each statement as a unit of work of the tenant and adds the results to the loot.
func (a *attempt) alone(schema string, sql ...string) {
	ctx := a.in(schema)
	for _, s := range sql {
		a.take(ctx, a.db(ctx), s)
	}
}

// inTx runs the statements in one transaction and continues after errors.
func (a *attempt) inTx(schema string, sql ...string) {
	ctx := a.in(schema)
	err := a.db(ctx).InTx(ctx, func(tx pgx.Tx) error {
		for _, s := range sql {
			a.take(ctx, tx, s)
		}
		return nil
	})
	a.met(err)
}

type rowsQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// take runs a statement. It adds all values and the text of an error to the loot.
func (a *attempt) take(ctx context.Context, q rowsQuerier, sql string, args ...any) {
	rows, err := q.Query(ctx, sql, args...)
	if err == nil {
		for rows.Next() {
			for _, value := range rows.RawValues() {
				a.loot.Write(value)
				a.loot.WriteByte('\n')
			}
		}
		rows.Close()
		err = rows.Err()
	}
	a.met(err)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		fmt.Fprintln(&a.loot, pgErr.Message, pgErr.Detail, pgErr.Hint, pgErr.Where)
	}
}

// got reports whether the loot contains text.
func (a *attempt) got(text string) bool { return strings.Contains(a.loot.String(), text) }

// how returns the name of the outcome for err.
func how(err error) string {
	var nameErr *schemactx.NameError
	var limitErr *schemactx.LimitError
	var settingErr *schemactx.SettingError
	var pgErr *pgconn.PgError
	if errors.As(err, &limitErr) { // first, because a LimitError is also a deadline
		return "LimitError"
	}
	for _, e := range []struct {
		name string
		err  error
	}{
		{"ErrTransactionEnded", schemactx.ErrTransactionEnded},
		{"ErrScopeChanged", schemactx.ErrScopeChanged},
		{"ErrSchemaMismatch", schemactx.ErrSchemaMismatch},
		{"ErrNoSchema", schemactx.ErrNoSchema},
		{"ErrSchemaMissing", schemactx.ErrSchemaMissing},
		{"ErrNotProvisioned", schemactx.ErrNotProvisioned},
		{"ErrTaken", admin.ErrTaken},
		{"ErrTxBusy", schemactx.ErrTxBusy},
		{"ErrCopy", schemactx.ErrCopy},
		{"pgx.ErrTxClosed", pgx.ErrTxClosed},
		{"deadline", context.DeadlineExceeded},
	} {
		if errors.Is(err, e.err) {
			return e.name
		}
	}
	switch {
	case err == nil:
		return nothing
	case errors.As(err, &nameErr):
		return "NameError"
	case errors.As(err, &settingErr):
		return "SettingError"
	case errors.As(err, &pgErr):
		return pgErr.Code
	}
	return "driver's error"
}
