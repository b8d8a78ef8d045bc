package schemactx_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestLoginPassword(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{7}, 32)
	derive := func(secret []byte, role string) string {
		t.Helper()
		p, err := schemactx.LoginPassword(secret, role)
		require.NoError(t, err)
		return p
	}
	// Computed with OpenSSL. It must never change, or programs could not log in any more.
	assert.Equal(t, "DT8RMUS_IlmAE3sE38YSeSoPs-8QdMpLWtK7_MO48Vg", derive(secret, "school__tenant_1"))
	assert.NotEqual(t, derive(secret, "school__tenant_2"), derive(secret, "school__tenant_1"),
		"two roles share a password")
	assert.NotEqual(t, derive(bytes.Repeat([]byte{8}, 32), "school__tenant_1"), derive(secret, "school__tenant_1"),
		"two secrets give one password")
	_, err := schemactx.LoginPassword(secret[:31], "school__tenant_1")
	assert.ErrorIs(t, err, schemactx.ErrSecretTooShort)
}
