package admin_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// Rename renames a tenant's schema and role. Privileges and data stay.
func ExampleRename() {
	s, done := newSchools()
	defer done()
	ctx := context.Background()
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	report, err := admin.Rename(ctx, s.Owner, s.Roles, "school_a", "lakeside")
	fmt.Println("renamed:", report.Changed(), err)

	var students int
	err = db.QueryRow(schemactx.NewContext(ctx, "lakeside"), "select count(*) from students").Scan(&students)
	fmt.Println("students:", students, err)

	report, err = admin.Rename(ctx, s.Owner, s.Roles, "school_a", "lakeside") // again, as after a crash
	fmt.Println("renamed again:", report.Changed(), err)

	// Output:
	// renamed: true <nil>
	// students: 2 <nil>
	// renamed again: false <nil>
}
