package schemactx_test

import (
	"context"
	"fmt"
	"path"

	"github.com/oryne/pgtenant/schemactx"
)

// A hook logs which code names a tenant explicitly.
func ExampleHooks() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{
		Hooks: schemactx.Hooks{
			SchemaSwitch: func(_ context.Context, d schemactx.SchemaSwitch) {
				fmt.Printf("%s went from %q to %q\n", path.Base(d.Func), d.From, d.Schema)
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.Background(), "school_a") // from the request
	if _, err := db.Exec(ctx, "select 1"); err != nil {
		fmt.Println(err)
	}
	err = schemactx.WithSchema(ctx, "school_b", func(ctx context.Context) error {
		_, err := db.Exec(ctx, "select 1")
		return err
	})
	fmt.Println(err)

	// Output:
	// schemactx_test.ExampleHooks went from "school_a" to "school_b"
	// <nil>
}
