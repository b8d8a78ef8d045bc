package switches

import (
	"testing"

	"github.com/oryne/pgtenant/schemactx"
)

func TestSchemasAreNamedFreely(t *testing.T) {
	if err := schemactx.WithSchema(t.Context(), "tenant_2", nothing); err != nil {
		t.Fatal(err)
	}
}
