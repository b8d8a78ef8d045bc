package attacktest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attackFile is the matrix as a Markdown file. TestAttacks compares it with the outcomes, or writes
// it.
const attackFile = "../../schemactx/ATTACKS.md"

const introduction = `# Attacks

What tenant a can do to tenant b, by level of isolation. The suite of internal/attacktest tries every row on a real
PostgreSQL and writes this file from the outcomes:
` + "`go test ./internal/attacktest -run TestAttacks -update`" + `.
A run with any other outcome fails. The outcomes are those of PostgreSQL 15 to 18, unless a note says otherwise.

The attacker controls one or several complete statements that a sends. In a program that writes its own SQL and passes
values as parameters, the attacker has found an SQL injection. Success is judged by content: a receives b's secret, an
object of b has changed, b finds state that a has left, or b can no longer work.

- **PathOnly** sets only the search path. The login owns every tenant's tables, as in programs without roles.
- **Roles** sets the search path and the tenant's role. The login itself has no privileges.
- **Roles, hardened** is Roles in a database on which Harden was called.
- **Logins** has a pool for each tenant, which logs in as the tenant's role. The database is not hardened.
- **Roles, hardened, PgBouncer** uses a pooler in transaction mode with one server connection. Tenant b is served by
  another process.

The extension citext is in the schema "extensions". The suite runs twice: with only the tenant's schema on the search
path, and with "extensions" after it. The outcomes are the same.

Except at Logins, one connection to the server serves both tenants. **leaks** says that the attack succeeds. Any other
cell says what stops it: an SQLSTATE of PostgreSQL (42501 is "permission denied", 2D000 "a COMMIT where none may be"),
an error of this package, "driver's error" for one of pgx, or "no effect": the server accepted every statement, and the
attack did not succeed.

## What stops which attack

- Names of other schemas in a statement: Roles. PathOnly is only for tenants that trust each other.
- A statement that changes its role or search path while it runs, DO blocks, a changed timeout, and large objects:
  Harden. It stops the last three at Logins too.
- Every role that the login may take: Logins. Its login is the tenant's own role and can take no other.
- A setting of WithSettings that a tenant's statement overwrites (app.user_id, for the rest of its unit of work):
  Harden, at Logins too.
- A tenant that holds all connections, or an endless statement: Config.Limits (row 67).
- State that stays on the connections of a pooler: PgBouncer's server_reset_query_always = 1. This package resets its
  own connections, but does not know what another process has done on those of the pooler. The suite tries row 18 with
  this setting too.
- Mistakes of the owner (rows 35 and 36): Check, at every start and after every migration. It reports them as planted,
  view-rights and definer-path. It reports other paths between tenants that an owner can create as tenant-link
  (inheritance, partitions, foreign keys, rules, triggers), definer-tenant and foreign-data.
- Objects planted in a schema on the search path of all tenants: only the owner has CREATE on the schemas of
  Config.ExtraSearchPath. Check reports other roles that may create there, as path-writable.
- Catalogs that every role can read (rows 46 to 52), and state that all sessions of a database share (rows 60 and 61):
  only a database for each tenant.
`

// checkFile compares the file with the outcomes, or writes it.
func checkFile(t *testing.T, version int, seen [][]string) {
	t.Helper()
	for col := range columns {
		if seen[col] == nil {
			t.Skipf("%s was not seen: %s is not compared", columns[col].name, attackFile)
		}
	}
	want := render(seen)
	if *update {
		require.NoError(t, os.WriteFile(attackFile, []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(attackFile)
	require.NoError(t, err)
	is, should := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for i := range min(len(is), len(should)) {
		require.Equal(t, should[i], is[i], "%s:%d differs from PostgreSQL %d: run the test with -update",
			attackFile, i+1, version)
	}
	require.Len(t, is, len(should), "lines of %s: run the test with -update", attackFile)
}

func render(seen [][]string) string {
	var b strings.Builder
	b.WriteString(introduction)
	var notes []string
	for i := range attacks {
		c := &attacks[i]
		if heading, ok := headings[c.row]; ok && (i == 0 || attacks[i-1].row != c.row) {
			fmt.Fprintf(
				&b,
				"\n## %s\n\n| | attack | SQL |%s\n|---|---|---|%s\n",
				heading,
				columnNames(),
				strings.Repeat("---|", len(columns)),
			)
		}
		fmt.Fprintf(&b, "| %d | %s", c.row, c.title)
		for _, since := range slices.Sorted(maps.Keys(c.since)) {
			notes = append(notes, c.note(since))
			fmt.Fprintf(&b, " [%d]", len(notes))
		}
		fmt.Fprintf(&b, " | %s |", c.shown())
		for col := range columns {
			b.WriteString(" " + c.cell(col, seen[col][i]) + " |")
		}
		b.WriteByte('\n')
	}
	for i, note := range notes {
		fmt.Fprintf(&b, "\n[%d] %s\n", i+1, note)
	}
	b.WriteString("\n## Consequences of the attacks that succeed\n\n")
	b.WriteString(consequences(seen))
	return b.String()
}

// consequences returns the list of what follows from the attacks that succeed.
func consequences(seen [][]string) string {
	var order []string
	from := make(map[string][]string)
	for i := range attacks {
		c := &attacks[i]
		var where []string
		for col := range columns {
			if c.leaksIn(col, seen[col][i]) {
				where = append(where, columns[col].name)
			}
		}
		attack := fmt.Sprintf("%d %s", c.row, c.title)
		if where == nil {
			continue
		}
		if len(where) == len(columns) {
			where = []string{"everywhere"}
		}
		text := c.follows
		if c.found != "" {
			text += fmt.Sprintf(" Check reports it at Roles and Logins: `%s`.", c.found)
		}
		text = fmt.Sprintf("(%s): %s", strings.Join(where, "; "), text)
		if from[text] == nil {
			order = append(order, text)
		}
		from[text] = append(from[text], attack)
	}
	var b strings.Builder
	for _, text := range order {
		fmt.Fprintf(&b, "- %s %s\n", strings.Join(from[text], "; "), text)
	}
	return b.String()
}

func columnNames() string {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString(" " + c.name + " |")
	}
	return b.String()
}

// cell returns an outcome as the matrix shows it. It shows the outcome of this run if that is the
// same on all versions.
func (c *attack) cell(col int, seen string) string {
	if len(c.since) > 0 {
		seen = c.want[col]
	}
	switch {
	case seen == leaks:
		return "**leaks**"
	case strings.Contains(seen, "Err"):
		return "`" + seen + "`"
	}
	return seen
}

// leaksIn reports whether the attack succeeds in a column on any version.
func (c *attack) leaksIn(col int, seen string) bool {
	if len(c.since) == 0 {
		return seen == leaks
	}
	for _, w := range c.since {
		if w[col] == leaks {
			return true
		}
	}
	return c.want[col] == leaks
}

// note returns the text about the outcomes that differ from a version on.
func (c *attack) note(since int) string {
	var differs []string
	for col := range columns {
		if c.since[since][col] != c.want[col] {
			differs = append(differs, fmt.Sprintf("%s: %s", columns[col].name, c.since[since][col]))
		}
	}
	return fmt.Sprintf("From PostgreSQL %d on, %s.", since, strings.Join(differs, "; "))
}

// shown returns the attack's SQL, shortened to one line.
func (c *attack) shown() string {
	const longest = 90
	sql, more := strings.Join(c.sql, "; "), ""
	if c.variants && len(c.sql) > 1 {
		sql, more = c.sql[0], fmt.Sprintf(" and %d more", len(c.sql)-1)
	}
	sql = strings.Join(strings.Fields(sql), " ")
	sql = strings.NewReplacer(
		"ROLE_A", "role_a", "ROLE_B", "role_b", "LOGIN", "login", "OWNER", "owner", "|", `\|`, "SECRET_A", "a's secret",
		"SECRET_B", "b's secret",
	).
		Replace(sql)
	if utf8.RuneCountInString(sql) > longest {
		sql = string([]rune(sql)[:longest]) + " …"
	}
	if sql == "" {
		return more
	}
	return "`" + sql + "`" + more
}

// headings begin a new table before the first attack of a row.
var headings = map[int]string{
	1:  "Reading and writing across, inside of a statement",
	7:  "Leaving the scope",
	16: "State on a connection",
	26: "Names",
	34: "Planted objects",
	46: "Catalogs that every role can read",
	56: "Harm, and state that all sessions share",
	71: "Hidden functions",
	73: "At COMMIT, on the path, and in settings",
}

// The matrix must be complete and in order.
func TestAttackTableIsInOrder(t *testing.T) {
	t.Parallel()
	titles := map[string]bool{}
	for i := range attacks {
		c := &attacks[i]
		name := fmt.Sprintf("%d %s", c.row, c.title)
		assert.True(t, !titles[name] && (i <= 0 || c.row >= attacks[i-1].row), "%s: twice, or out of order", name)
		titles[name] = true
		all := []wants{c.want}
		for _, w := range c.since {
			all = append(all, w)
		}
		for _, w := range all {
			assert.NotContains(t, w[:], "", "%s: a column has no outcome", name)
			if slices.Contains(w[:], leaks) {
				assert.NotEmpty(t, c.follows, "%s: leaks, and nothing is said to follow from it", name)
			}
		}
	}
}
