// Package platformuser keeps the users of the platform itself, such as its operators, in the
// registry.
//
//	users := platformuser.New(ownerPool)
//	ada, err := users.Create(ctx, platformuser.CreateParams{
//		Email: "ada@example.com", Name: "Ada", PasswordHash: hash,
//	})
//
// The users of a tenant are rows in the tenant's own schema, and not in a [Store]. [PasswordHash]
// and [NormalizeEmail] serve them as well.
//
// # Passwords
//
// The program chooses how a password is hashed. A [PasswordHash] is opaque to this package and does
// not show itself in logs, JSON or errors. A disabled user is read without a hash, so that no
// password fits.
//
// # Privileges
//
// The table of users belongs to the owner role. The runtime login, which serves requests, cannot
// read it.
package platformuser
