package schemactx

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAConnectionKeepsTheTypesOfTheSchemasItServedLast(t *testing.T) {
	t.Parallel()
	var c typeCache
	first := &scope{schema: "first"}
	require.Nil(t, c.get(first, nil))
	c.put(&schemaTypes{scope: first})
	for i := range 2 * maxTypeMaps {
		sc := &scope{schema: strconv.Itoa(i)}
		c.put(&schemaTypes{scope: sc})
		c.put(&schemaTypes{scope: sc}) // loaded again
		require.NotNil(t, c.get(sc, nil))
		require.NotNil(t, c.get(first, nil), "it was used last")
		require.Nil(t, c.get(&scope{schema: "first"}, nil), "a Refresh makes another scope")
	}
	assert.Len(t, c.entries, maxTypeMaps)
	assert.Equal(t, maxTypeMaps, c.recent.Len())
	c.drop("first")
	c.drop("first")
	assert.Nil(t, c.get(first, nil))
}
