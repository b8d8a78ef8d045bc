package schemactx_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// At level Logins each tenant logs in with its own role. The passwords are derived from one secret.
func ExampleProvisionLogin() {
	s, done := newSchools()
	defer done()
	ctx := context.Background()

	secret := []byte("32 random bytes from a safe place") // unlike this one
	password := func(schema string) (string, error) { return schemactx.LoginPassword(secret, s.Roles.Tenant(schema)) }
	for _, school := range []string{"school_a", "school_b"} {
		p, err := password(school)
		if err == nil {
			_, err = admin.ProvisionLogin(ctx, s.Owner, s.Roles, school, p)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	db, err := schemactx.New(s.Runtime, schemactx.Config{
		Level: schemactx.Logins,
		Logins: schemactx.LoginsConfig{
			Password: func(_ context.Context, schema string) (string, error) { return password(schema) },
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close() // closes the tenants' pools

	ctx = schemactx.NewContext(ctx, "school_a")
	var itself bool
	err = db.QueryRow(ctx, "select session_user = $1", s.Roles.Tenant("school_a")).Scan(&itself)
	fmt.Println("logged in as itself:", itself, err)

	_, err = db.Exec(ctx, "select set_config('role', $1, true)", s.Roles.Tenant("school_b"))
	fmt.Println("can become another:", err == nil)

	// Output:
	// logged in as itself: true <nil>
	// can become another: false
}
