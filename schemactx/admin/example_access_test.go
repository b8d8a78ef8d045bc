package admin_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// RevokeAccess takes a tenant's access to its schema until RestoreAccess gives it back.
func ExampleRevokeAccess() {
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
	_, err = admin.RevokeAccess(ctx, s.Owner, s.Roles, "school_a")
	fmt.Println("revoked:", err)
	fmt.Println("kept out:", errors.Is(count(), schemactx.ErrNotProvisioned))
	_, err = admin.RestoreAccess(ctx, s.Owner, s.Roles, "school_a")
	fmt.Println("restored:", err, count())

	// Output:
	// revoked: <nil>
	// kept out: true
	// restored: <nil> <nil>
}
