package schemactx_test

import (
	"bytes"
	"testing"

	"github.com/oryne/pgtenant/schemactx"
)

func TestLoginPassword(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{7}, 32)
	derive := func(secret []byte, role string) string {
		t.Helper()
		p, err := schemactx.LoginPassword(secret, role)
		check(t, err)
		return p
	}
	// Computed with OpenSSL. It must never change: programs would be locked out.
	if got := derive(secret, "school__tenant_1"); got != "DT8RMUS_IlmAE3sE38YSeSoPs-8QdMpLWtK7_MO48Vg" {
		t.Errorf("got %q", got)
	}
	if derive(secret, "school__tenant_1") == derive(secret, "school__tenant_2") {
		t.Error("two roles share a password")
	}
	if derive(secret, "school__tenant_1") == derive(bytes.Repeat([]byte{8}, 32), "school__tenant_1") {
		t.Error("two secrets give one password")
	}
	_, err := schemactx.LoginPassword(secret[:31], "school__tenant_1")
	expectIs(t, err, schemactx.ErrSecretTooShort)
}
