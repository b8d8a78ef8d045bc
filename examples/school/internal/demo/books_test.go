package demo

import (
	"reflect"
	"testing"

	"github.com/oryne/pgtenant/erp"
)

func TestASchoolIsTheSameAtEveryStart(t *testing.T) {
	t.Parallel()
	users := map[Role]int64{Admin: 1, Teacher: 2, Parent: 3, Student: 4}
	for _, s := range Schools("basic", "premium") {
		first := write(s, users)
		if !reflect.DeepEqual(first, write(s, users)) {
			t.Errorf("%s differs from itself", s.Name)
		}
		rows := make(map[string]int)
		for _, table := range first {
			rows[table.name] = len(table.rows)
			for _, row := range table.rows {
				if len(row) != len(table.columns) {
					t.Fatalf("%s of %s: %d values for %d columns", table.name, s.Name, len(row), len(table.columns))
				}
			}
		}
		if rows["students"] != s.Students || rows["classes"] != 12 || rows["fees"] != 2*s.Students || rows["payments"] == 0 {
			t.Errorf("%s has %v", s.Name, rows)
		}
		for role, name := range first.names() {
			if err := (erp.NewUser{Email: Address(s.Slug, role), Name: name, Role: role}).Validate(); err != nil {
				t.Errorf("%s of %s: %v", role, s.Name, err)
			}
		}
	}
}
