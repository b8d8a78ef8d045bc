package platformuser_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/internal/schooltest"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// The program chooses how passwords are hashed. Formatting and logging a hash do not reveal it.
func ExampleStore() {
	p, done := schooltest.New()
	defer done()
	ctx := context.Background()

	users := platformuser.New(p.Owner)
	ada, err := users.Create(ctx, platformuser.CreateParams{
		Email:        "Ada@Example.com",
		Name:         "Ada",
		PasswordHash: platformuser.NewPasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"),
	})
	fmt.Println(ada.Email, ada.PasswordHash, err)
	_, err = users.Create(ctx, platformuser.CreateParams{Email: "ADA@example.com", Name: "Another"})
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
