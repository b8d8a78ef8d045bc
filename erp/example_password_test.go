package erp_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/erp"
)

// Passwords are hashed with argon2id. A program can use these functions for its own users.
func ExampleVerifyPassword() {
	ctx := context.Background()
	hash, err := erp.HashPassword(ctx, "correct horse battery")
	orPanic(err)
	fmt.Println(hash, hash.Reveal()[:30])

	outdated, err := erp.VerifyPassword(ctx, hash, "correct horse battery")
	fmt.Println(outdated, err)
	_, err = erp.VerifyPassword(ctx, hash, "battery horse")
	fmt.Println(err)
	_, err = erp.HashPassword(ctx, "horse")
	fmt.Println(err)

	// Output:
	// [redacted] $argon2id$v=19$m=19456,t=2,p=1
	// false <nil>
	// wrong password
	// password is shorter than 8 characters
}
