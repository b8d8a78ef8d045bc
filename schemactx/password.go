package schemactx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// minSecretLen is the length in bytes of a key as strong as the HMAC that uses it.
const minSecretLen = 32

// ErrSecretTooShort is returned by [LoginPassword] for a secret of less than 32 bytes.
var ErrSecretTooShort = errors.New("secret is shorter than 32 bytes")

// LoginPassword derives the password of a role from a secret, so a program that logs in as
// thousands of tenants stores one secret instead of thousands of passwords. It returns the
// HMAC-SHA256 of the role's name under the secret, in base64url: 43 printable characters. The same
// secret and role always give the same password. A password reveals nothing about another password
// or the secret.
//
// secret must have at least 32 random bytes; for a shorter one LoginPassword returns
// [ErrSecretTooShort]. Whoever has the secret can log in as every tenant, so protect it like the
// runtime login's password. A new secret changes all passwords; admin.ProvisionLogin sets each.
// role is [RoleNames.Tenant] of a schema. It contains the database's prefix, so two databases do
// not share passwords under one secret.
func LoginPassword(secret []byte, role string) (string, error) {
	if len(secret) < minSecretLen {
		return "", ErrSecretTooShort
	}
	// The label separates this use of the secret from any other use.
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("pgtenant login password\x00" + role))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}
