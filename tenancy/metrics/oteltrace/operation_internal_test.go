package oteltrace

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOperation(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"select 1": "SELECT", " \n\tInSert into x": "INSERT", "(select 1) union (select 2)": "SELECT",
		"-- a\n--b\nupdate x": "UPDATE", "/* select /* nested */ x */ delete from x": "DELETE",
		"with a as (select 1) table a": "WITH", "": "QUERY", "--": "QUERY", "/*": "QUERY", "/* */": "QUERY",
		"secret": "QUERY", "selects": "QUERY", "select": "SELECT",
		"'secret'": "QUERY", "\xff\xfe": "QUERY", "sélect": "QUERY",
	} {
		assert.Equal(t, want, operation(sql), "operation of %q", sql)
	}
}
