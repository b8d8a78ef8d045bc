package erp_test

import (
	"encoding/json"
	"fmt"

	"github.com/oryne/pgtenant/erp"
)

// The document says what can be asked, for programs that generate a client or a page of it.
func ExampleOpenAPI() {
	var document struct {
		Version string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	orPanic(json.Unmarshal(erp.OpenAPI(), &document))
	_, found := document.Paths["/api/payments/{id}"]["get"]
	fmt.Println(document.Version, found)

	// Output:
	// 3.1.0 true
}
