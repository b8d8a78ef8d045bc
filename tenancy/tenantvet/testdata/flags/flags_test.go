package flags

import (
	"testing"

	"github.com/oryne/pgtenant/schemactx"
)

func TestRun(t *testing.T) {
	run(t.Context(), nil)
	var db *schemactx.DB
	_, _ = db.Exec(t.Context(), "select 1 from school_b.students") // want `names the schema school_b of a tenant`
}
