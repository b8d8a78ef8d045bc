package admin_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// Setup runs once for a database, as its administrator. Provision runs once for a tenant, as the
// owner that Setup has created. Both can be run again.
func ExampleSetup() {
	s, done := newDatabase()
	defer done()
	ctx := context.Background()

	setup, err := admin.Setup(ctx, s.Admin, admin.SetupConfig{
		OwnerPassword: ownerPassword, RuntimePassword: runtimePassword,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	made, err := admin.Provision(ctx, s.Owner, setup.Roles, "school_a")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(made.Actions[2])

	again, err := admin.Provision(ctx, s.Owner, setup.Roles, "school_a")
	fmt.Println("changed by a second run:", again.Changed(), err)

	_, err = s.Owner.Exec(ctx, "create table school_a.students (id serial primary key, name text)") // a migration
	if err != nil {
		fmt.Println(err)
		return
	}

	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tag, err := db.Exec(schemactx.NewContext(ctx, "school_a"), "insert into students (name) values ($1)", "Amara")
	fmt.Println(tag, err)

	// Names are checked before a statement is sent.
	_, err = admin.Provision(ctx, s.Owner, setup.Roles, "School A")
	fmt.Println(err)

	// Output:
	// create schema "school_a": done
	// changed by a second run: false <nil>
	// INSERT 0 1 <nil>
	// schema name "School A" does not match [a-z_][a-z0-9_]*
}
