package schemactx_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// An extension has its own schema, which is on the search path of every tenant, because operators
// are found only on the search path.
func ExampleConfig_extraSearchPath() {
	s, done := newDatabase()
	defer done()
	ctx := context.Background()

	extra := []string{admin.DefaultExtensionSchema}
	setup, err := admin.Setup(ctx, s.Admin, admin.SetupConfig{
		OwnerPassword: ownerPassword, RuntimePassword: runtimePassword,
		ExtraSearchPath: extra, Extensions: []string{"citext", "no_such_extension"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range setup.Extensions { // setup.Err() names the missing ones
		fmt.Println(x.Name, x.Outcome)
	}
	if _, err := admin.Provision(ctx, s.Owner, setup.Roles, "school_a"); err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.Owner.Exec(
		ctx,
		"create table school_a.users (email extensions.citext); insert into school_a.users values ('Ada@Example.com')",
	)
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, cfg := range []schemactx.Config{{}, {ExtraSearchPath: extra}} {
		db, err := schemactx.New(s.Runtime, cfg)
		if err != nil {
			fmt.Println(err)
			return
		}
		var n int
		err = db.QueryRow(
			schemactx.NewContext(ctx, "school_a"), "select count(*) from users where email = 'ADA@example.com'",
		).
			Scan(&n)
		fmt.Println(n, err)
	}
	report, err := admin.Check(ctx, s.Runtime, admin.CheckConfig{})
	for _, finding := range report.Findings {
		if finding.Code == admin.CodePathType {
			fmt.Println(finding.Severity, finding.Object)
		}
	}
	fmt.Println(err)

	// Output:
	// citext done
	// no_such_extension not possible
	// 0 <nil>
	// 1 <nil>
	// warn type extensions.citext
	// <nil>
}
