package schemactx_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
)

// Setup runs once for a database, as its administrator. Provision runs once for a tenant, as the owner that Setup has
// made. Both can be run again.
func ExampleSetup() {
	s, done := newDatabase()
	defer done()
	ctx := context.Background()

	roles, err := schemactx.Setup(ctx, s.Admin, schemactx.SetupConfig{
		OwnerPassword: ownerPassword, RuntimePassword: runtimePassword,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := schemactx.Provision(ctx, s.Owner, roles, "school_a"); err != nil {
		fmt.Println(err)
		return
	}
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

	// Names are checked before anything happens.
	fmt.Println(schemactx.Provision(ctx, s.Owner, roles, "School A"))

	// Output:
	// INSERT 0 1 <nil>
	// schema name "School A" does not match [a-z_][a-z0-9_]*
}
