package schemactx_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
)

// Seal keeps a tenant out of its schema, with all that is in it, until Unseal.
func ExampleSeal() {
	s, done := newSchools()
	defer done()
	ctx := context.Background()
	db, err := schemactx.New(s.Runtime, schemactx.Config{Roles: s.Roles})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant := schemactx.NewContext(ctx, "school_a")
	count := func() error {
		var n int
		return db.QueryRow(tenant, "select count(*) from students").Scan(&n)
	}
	_, err = schemactx.Seal(ctx, s.Owner, s.Roles, "school_a")
	fmt.Println("sealed:", err)
	fmt.Println("kept out:", errors.Is(count(), schemactx.ErrNotProvisioned))
	_, err = schemactx.Unseal(ctx, s.Owner, s.Roles, "school_a")
	fmt.Println("unsealed:", err, count())

	// Output:
	// sealed: <nil>
	// kept out: true
	// unsealed: <nil> <nil>
}
