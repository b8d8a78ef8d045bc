package staff_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
)

// The test vectors of RFC 6238, appendix B, for SHA-1: the last six of their eight digits.
func TestCode(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471",
		1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		assert.Equal(t, want, staff.Code(secret, time.Unix(at, 0)), "at %d seconds", at)
	}
}

func TestURI(t *testing.T) {
	t.Parallel()
	uri, err := url.Parse(staff.URI("ada@example.com", []byte("12345678901234567890")))
	require.NoError(t, err)
	assert.Equal(t, "otpauth://totp/pgtenant schools:ada@example.com", uri.Scheme+"://"+uri.Host+uri.Path)
	assert.Equal(t, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", uri.Query().Get("secret"))
	assert.Equal(t, "pgtenant schools", uri.Query().Get("issuer"))
}
