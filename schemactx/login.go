package schemactx

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// minSecretLen is the length of a key with the strength of the HMAC it is for.
const minSecretLen = 32

// ErrSecretTooShort is returned by [LoginPassword] for a secret of less than 32 bytes.
var ErrSecretTooShort = errors.New("secret is shorter than 32 bytes")

// LoginPassword derives the password of a role from a secret, so that a program that logs in
// as thousands of tenants keeps one secret and not thousands of passwords: HMAC-SHA256 of the
// role's name under the secret, in base64url, 43 printable characters. The same secret and role
// always give the same password, and no password tells anything about another or the secret.
//
// secret is at least 32 random bytes; a shorter one is [ErrSecretTooShort]. Who has it can log
// in as every tenant: guard it as you guard the runtime login's password. A new secret changes
// all passwords; [ProvisionLogin] sets each. role is [RoleNames.Tenant] of a schema, which
// holds the database's prefix, so that two databases do not share passwords under one secret.
func LoginPassword(secret []byte, role string) (string, error) {
	if len(secret) < minSecretLen {
		return "", ErrSecretTooShort
	}
	// The label keeps this use of the secret apart from any other that somebody makes of it.
	sum := hmacSHA256(secret, "pgtenant login password\x00"+role)
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// ProvisionLogin does what [Provision] does, with the same errors, and lets the tenant's role
// log in with the password, which has to be printable ASCII; see [LoginPassword]. The role is
// a login of its own, NOINHERIT, and gets CONNECT on the database where PUBLIC does not have it.
// The runtime login stays a member of the role, so that the schema can be reached both ways.
//
// It is one transaction, which ctx governs, and can be run again, which sets the password anew and
// reports that as done, as nobody can see what it was; connections that are open stay open.
// [Provision] leaves the login as it is: it never takes LOGIN or the password from a role. The
// password is sent as a SCRAM-SHA-256 verifier.
//
// A tenant who controls whole statements can change the role's own password and settings
// (ALTER ROLE), as PostgreSQL lets every role do: running it again repairs the password.
func ProvisionLogin(ctx context.Context, owner Beginner, roles RoleNames, schema, password string) (ProvisionReport, error) {
	if err := roles.ValidateSchema(schema); err != nil {
		return ProvisionReport{}, err
	}
	if password == "" {
		return ProvisionReport{}, fmt.Errorf("provision login of schema %q: password is empty", schema)
	}
	verifier, err := scramVerifier(password) // which takes milliseconds: before the transaction
	if err != nil {
		return ProvisionReport{}, fmt.Errorf("provision login of schema %q: %w", schema, err)
	}
	report, err := provision(ctx, owner, roles, schema, func(role string, st tenantState) ([]wish, error) {
		return loginWishes(role, verifier, st)
	})
	if err != nil {
		return ProvisionReport{}, fmt.Errorf("provision login of schema %q: %w", schema, err)
	}
	return report, nil
}

// loginWishes lets the role log in and connect. It must be able to connect: a grant without the
// right to grant would be a warning only, and one that is not needed would stand in the way of
// DROP ROLE.
func loginWishes(role, verifier string, st tenantState) ([]wish, error) {
	if !st.connect && !st.grantConnect {
		return nil, errors.New("the owner may not grant CONNECT on the database: run Setup again, which lets it")
	}
	quoted, err := QuoteName(role)
	if err != nil {
		return nil, err
	}
	password, err := wishPassword(role, verifier)
	if err != nil {
		return nil, err
	}
	wishes := []wish{password, {sql: []string{"alter role " + quoted + " login noinherit"}, so: st.canLogin && !st.inherits}}
	if !st.connect {
		wishes = append(wishes, wish{sql: []string{"grant connect on database " + pgx.Identifier{st.database}.Sanitize() + " to " + quoted}})
	}
	return wishes, nil
}
