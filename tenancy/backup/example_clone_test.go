package backup_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// A clone is a copy of a tenant for trials, here without the addresses of real people.
func ExampleService_Clone() {
	s, done := openNorth()
	defer done()
	n := 0
	hide := func(_ context.Context, v backup.Value) (backup.Value, error) {
		if !v.Null {
			n++
			v.Text = fmt.Sprintf("pupil%d@example.org", n)
		}
		return v, nil
	}
	clone, err := s.backups.Clone(context.Background(), "north", backup.CloneOptions{
		Slug: "demo", Domain: "demo.example.com",
		Anonymize: map[backup.Column]backup.Anonymizer{{Table: "pupils", Name: "email"}: backup.AnonymizerFunc(hide)},
	})
	fmt.Println(clone.Rows, "rows", err)
	s.print("demo")
	s.print("north")

	// Output:
	// 2 rows <nil>
	// demo: Ann pupil1@example.org, Bo - <nil>
	// north: Ann ann@example.com, Bo - <nil>
}
