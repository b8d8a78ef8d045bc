package requestid_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/internal/requestid"
)

func TestAllowedBytes(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		c := byte(i)
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		want := letter || '0' <= c && c <= '9' || strings.IndexByte("-_.:=+", c) >= 0
		assert.Equal(t, want, requestid.Allowed(c), "%q", c)
	}
}
