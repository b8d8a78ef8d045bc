package admin_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
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
	_, err = admin.Seal(ctx, s.Owner, s.Roles, "school_a")
	fmt.Println("sealed:", err)
	fmt.Println("kept out:", errors.Is(count(), schemactx.ErrNotProvisioned))
	_, err = admin.Unseal(ctx, s.Owner, s.Roles, "school_a")
	fmt.Println("unsealed:", err, count())

	// Output:
	// sealed: <nil>
	// kept out: true
	// unsealed: <nil> <nil>
}
