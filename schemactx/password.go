package schemactx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
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
// all passwords; admin.ProvisionLogin sets each. role is [RoleNames.Tenant] of a schema, which
// holds the database's prefix, so that two databases do not share passwords under one secret.
func LoginPassword(secret []byte, role string) (string, error) {
	if len(secret) < minSecretLen {
		return "", ErrSecretTooShort
	}
	// The label keeps this use of the secret apart from any other that somebody makes of it.
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("pgtenant login password\x00" + role))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}
