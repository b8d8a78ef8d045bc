package tenantvet

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPatternsOfPackages(t *testing.T) {
	t.Parallel()
	for patterns, want := range map[string]bool{
		"": false, "a/b": true, "a": false, "a/...": true, "a/b/...": true, "a/b/c": false, "a/b/c/...": false,
		"x, a/b": true, "x,": false, "...": false, "a/bb/...": false, "/...": false, "a/b/": true,
	} {
		assert.Equal(t, want, matches(patterns, "a/b"), "%q", patterns)
	}
}
