package erp_test

import (
	"encoding/json"
	"fmt"

	"github.com/oryne/pgtenant/erp"
)

// The OpenAPI document describes the API for programs that generate a client or a page from it.
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
