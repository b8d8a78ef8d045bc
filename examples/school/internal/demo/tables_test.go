package demo

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
)

func TestDemoDataIsTheSameAtEveryStart(t *testing.T) {
	t.Parallel()
	users := map[Role]int64{Admin: 1, Teacher: 2, Parent: 3, Student: 4}
	for _, s := range Schools("basic", "premium") {
		first := write(s, users)
		assert.Equal(t, first, write(s, users), "%s at the second start", s.Name)
		rows := make(map[string]int)
		for _, table := range first {
			rows[table.name] = len(table.rows)
			for _, row := range table.rows {
				require.Len(t, row, len(table.columns), "a row of %s of %s", table.name, s.Name)
			}
		}
		assert.Equal(t, s.Students, rows["students"], "students of %s", s.Name)
		assert.Equal(t, 12, rows["classes"], "classes of %s", s.Name)
		assert.Equal(t, 2*s.Students, rows["fees"], "fees of %s", s.Name)
		assert.NotZero(t, rows["payments"], "payments of %s", s.Name)
		for role, name := range first.names() {
			user := erp.NewUser{Email: Address(s.Slug, role), Name: name, Role: role}
			assert.NoError(t, user.Validate(), "%s of %s", role, s.Name)
		}
	}
}
