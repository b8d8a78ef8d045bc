package modeltest

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// found is a row of a table ledger or trail.
type found struct {
	Table, Schema string
	ID            int64
	Role, Path    string
	Unit          string
}

// checkRows compares the rows of all schemas with the expected ones. It returns the first
// difference, or "".
func (m *model) checkRows() string {
	var sql []string
	for _, schema := range served {
		sql = append(sql, fmt.Sprintf(`select 'ledger', '%[1]s', id, role, path, unit from %[1]s.ledger where id > $1
			union all select kind, '%[1]s', id, role, path, unit from %[1]s.trail where id > $1`, schema))
	}
	rows, _ := m.pg.Pool.Query(context.Background(), strings.Join(sql, " union all "), m.first)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	require.NoError(m.rt, err)
	there := map[int64]bool{}
	trails := map[int64]int{}
	for _, f := range all {
		r := m.rows[f.ID]
		switch {
		case r == nil:
			return fmt.Sprintf("%s has a row that no step has written: %+v", f.Schema, f)
		case r.schema != f.Schema:
			return fmt.Sprintf("%s has a row of %s: %+v", f.Schema, r.schema, f)
		case r.fate == undone, r.fate == pending:
			return fmt.Sprintf("%s has a row that was not committed: %+v", f.Schema, f)
		case f.Role != m.runsAs(f.Schema) || f.Path != m.pathOf(f.Schema):
			return fmt.Sprintf("%s has a row that was written in another scope: %+v", f.Schema, f)
		}
		if f.Unit != r.unit {
			return fmt.Sprintf(
				"%s has a row that was written with the settings of another unit of work than %q: %+v", f.Schema, r.unit, f,
			)
		}
		if f.Table == "ledger" || r.held {
			there[f.ID] = true
		}
		if f.Table == "deferred" {
			trails[f.ID]++
		}
	}
	groups := map[int64]bool{}
	for id, r := range m.rows {
		switch {
		case there[id] && trails[id] != 1 && !r.held:
			return fmt.Sprintf("the deferred trigger of row %d of %s has run %d times in its schema", id, r.schema, trails[id])
		case r.fate == committed && !there[id] && !r.held:
			return fmt.Sprintf("row %d of %s was committed and is not there", id, r.schema)
		case r.fate == unknown && !r.held:
			if was, ok := groups[r.group]; ok && was != there[id] {
				return fmt.Sprintf("of the rows of a unit of work of %s some are there: %d", r.schema, id)
			}
			groups[r.group] = there[id]
		}
	}
	for id, r := range m.rows {
		if r.fate == unknown && there[id] {
			r.fate = committed // a missing row may still come, until the server notices the lost client
		}
	}
	return ""
}
