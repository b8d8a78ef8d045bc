package tenancy_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/tenancy"
)

// The platform's own people. What hashes a password is the program's choice; its result does not show itself in logs.
func ExampleUsers() {
	_, owner, done := newSchools(tenancy.Config{})
	defer done()
	ctx := context.Background()

	users := tenancy.NewUsers(owner)
	ada, err := users.Create(ctx, tenancy.CreateUserParams{
		Email: "Ada@Example.com", Name: "Ada", PasswordHash: tenancy.NewPasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"),
	})
	fmt.Println(ada.Email, ada.PasswordHash, err)
	_, err = users.Create(ctx, tenancy.CreateUserParams{Email: "ADA@example.com", Name: "Another"})
	fmt.Println(err)

	if _, err := users.Disable(ctx, ada.ID); err != nil {
		fmt.Println(err)
		return
	}
	found, err := users.ByEmail(ctx, "ada@EXAMPLE.com")
	fmt.Println(found.Disabled(), found.PasswordHash.Empty(), err)

	// Output:
	// ada@example.com [redacted] <nil>
	// create user "ada@example.com": email address is taken
	// true true <nil>
}
