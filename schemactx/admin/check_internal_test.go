package admin

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// No test server is older than MinVersion, so the test calls versionFinding directly.
func TestVersionFinding(t *testing.T) {
	t.Parallel()
	f, old := versionFinding(MinVersion - 1)
	assert.True(t, old, "the version before the oldest: %v, %t", f, old)
	assert.Equal(t, CodeServerVersion, f.Code, "the version before the oldest: %v, %t", f, old)
	assert.Equal(t, Refuse, f.Severity, "the version before the oldest: %v, %t", f, old)
	f, old = versionFinding(MinVersion)
	assert.False(t, old, "the oldest: %v", f)
}
