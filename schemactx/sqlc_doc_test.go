package schemactx_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The code in SQLC.md is that of the example, which runs.
func TestSQLCPageShowsTheExample(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("SQLC.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_sqlc_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```(?:go|sql)\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, blocks, 3)
	for _, block := range blocks {
		assert.Contains(t, string(example), string(block[1]))
	}
}
