package erp_test

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/schemactx"
)

// The schema is that of the OpenAPI Initiative, of 2022-10-07, under the Apache License 2.0.
func TestTheDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/openapi-3.1.json")
	require.NoError(t, err)
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	require.NoError(t, err)
	schemas := jsonschema.NewCompiler()
	schemas.AssertFormat()
	require.NoError(t, schemas.AddResource("openapi-3.1.json", meta))
	schema, err := schemas.Compile("openapi-3.1.json")
	require.NoError(t, err)
	doc, err := readDocument(erp.OpenAPI())
	require.NoError(t, err)
	require.NoError(t, schema.Validate(doc.root))

	delete(doc.object("/info"), "title")
	assert.Error(t, schema.Validate(doc.root), "the schema accepts a document without a title")
}

func TestDocumentReferencesResolve(t *testing.T) {
	t.Parallel()
	doc, err := readDocument(erp.OpenAPI())
	require.NoError(t, err)
	used, ids := map[string]bool{}, map[any]string{}
	doc.walk(func(at string, o map[string]any) {
		if ref, ok := o["$ref"].(string); ok {
			used[strings.TrimPrefix(ref, "#")] = true
			assert.True(t, doc.get(doc.follow(at)) != nil, "%s has no target", at)
		}
		if id, ok := o["operationId"]; ok {
			other, twice := ids[id]
			assert.False(t, twice, "%s and %s are both %v", at, other, id)
			ids[id] = at
		}
	})
	for _, kind := range []string{"schemas", "parameters", "headers", "responses"} {
		for name := range doc.object("/components/" + kind) {
			at := pointer("/components/"+kind, name)
			assert.True(t, used[at], "%s is not used", at)
		}
	}
}

func TestEveryRouteIsDocumentedAndNoOther(t *testing.T) {
	t.Parallel()
	m := erp.New(&schemactx.DB{}, erp.HandlerConfig{Signer: newSigner(t)})
	m.Register(http.NewServeMux())
	var routes []string
	for _, r := range m.Routes() {
		routes = append(routes, r.Method+" "+r.Path)
	}
	c, err := theContract()
	require.NoError(t, err)
	slices.Sort(routes)
	documented := slices.Sorted(maps.Keys(c.operations))
	for _, route := range routes {
		assert.Contains(t, documented, route)
	}
	for _, route := range documented {
		assert.Contains(t, routes, route, "%s is documented and has no route", route)
	}
}

// The fields of each type are those of its schema, for responses and for requests.
func TestTheDocumentHasTheFieldsOfTheTypes(t *testing.T) {
	t.Parallel()
	doc, err := readDocument(erp.OpenAPI())
	require.NoError(t, err)
	for _, v := range []any{
		erp.User{},
		erp.NewUser{},
		erp.Student{},
		erp.NewStudent{},
		erp.Teacher{},
		erp.NewTeacher{},
		erp.Parent{},
		erp.NewParent{},
		erp.Child{},
		erp.Class{},
		erp.NewClass{},
		erp.FeeStructure{},
		erp.NewFeeStructure{},
		erp.Fee{},
		erp.NewFee{},
		erp.FeeChange{},
		erp.Generation{},
		erp.Generated{},
		erp.Payment{},
		erp.NewPayment{},
		erp.ImportReport{},
		erp.RowError{},
	} {
		typ := reflect.TypeOf(v)
		var fields []string
		for field := range typ.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields = append(fields, name)
		}
		slices.Sort(fields)
		schema := doc.object("/components/schemas/" + typ.Name())
		properties, _ := schema["properties"].(map[string]any)
		assert.Equal(t, fields, slices.Sorted(maps.Keys(properties)), "documented fields of %s", typ.Name())
		closed := schema["additionalProperties"] == false
		assert.Equal(t, accepted(typ.Name()), closed, "%s: additionalProperties is false: %t", typ.Name(), closed)
	}
}

// accepted reports whether the type is that of a request body, in which other fields are refused.
func accepted(name string) bool {
	return strings.HasPrefix(name, "New") || name == "FeeChange" || name == "Generation"
}

func TestDocumentIsPublic(t *testing.T) {
	t.Parallel()
	f := setup(t)
	w := request(f.handler, "GET", f.a.Host, "/api/openapi.json", "")
	if assert.Equal(t, http.StatusOK, w.Code, w.Header()) &&
		assert.Equal(t, string(erp.OpenAPI()), w.Body.String(), w.Header()) {
		assert.Equal(t, "application/json", w.Header().Get("Content-Type"), w.Header())
	}
}

// unprovoked has documented answers that no test can cause.
var unprovoked = map[string]string{
	"POST /api/students/import 409": "another request adds the admission number between two statements",
}

func TestEveryDocumentedAnswerIsGiven(t *testing.T) {
	t.Parallel()
	w := populate(t)
	for _, a := range matrix {
		w.ask(t, a, w.tokens[erp.RoleAdmin], false)
	}
	c, err := theContract()
	require.NoError(t, err)
	for route, op := range c.operations {
		for _, status := range slices.Sorted(maps.Keys(op.answers)) { // 429 comes last: it refuses all that follows
			w.provoke(route, status)
		}
	}
	for route, op := range c.operations {
		for status := range op.answers {
			_, seen := w.seen.Load(route + " " + status)
			if !seen && status != "5XX" {
				assert.NotEmpty(t, unprovoked[route+" "+status], "%s has not answered with %s", route, status)
			}
		}
	}
}

// provoke sends a request that should be refused with the status, for a reason that is common to
// all routes.
func (w *world) provoke(route, status string) {
	method, path, _ := strings.Cut(route, " ")
	path = strings.Replace(path, "{id}", "1", 1)
	send := func(path, body string, headers ...string) http.Header {
		headers = append([]string{"Authorization: Bearer " + w.tokens[erp.RoleAdmin]}, headers...)
		if strings.HasSuffix(path, "/import") {
			headers = append([]string{"Content-Type: text/csv"}, headers...)
		}
		return request(w.handler, method, w.a.Host, path, body, headers...).Header()
	}
	switch status {
	case "304":
		tag := send(path, "").Get("ETag")
		send(path, "", "If-None-Match: "+tag)
	case "400":
		send(path, "not JSON", "If-Match: *")
	case "401":
		send(path, "", "Authorization: ")
	case "403":
		send(path, "", "Authorization: Bearer "+w.foreign)
		send(path, "", "Sec-Fetch-Site: cross-site")
	case "404":
		send(strings.Replace(path, "/1", "/0", 1), "")
	case "412":
		send(path, "{}", `If-Match: "not-a-version"`)
	case "413":
		size := 1<<20 + 1
		if strings.HasSuffix(path, "/import") {
			size = 10<<20 + 1
		}
		send(path, strings.Repeat(" ", size), "If-Match: *")
	case "415":
		send(path, "{}", "Content-Type: text/plain", "If-Match: *")
	case "422":
		send(path+"?unknown=1", "{}", "If-Match: *", "Idempotency-Key: k")
		send(path, `{"current": "`+password+`", "new": ""}`)
	case "428":
		send(path, "{}")
	case "429":
		for range 11 {
			send(path, `{"email": "nobody@example.com", "password": "wrong"}`)
			send(path, `{"current": "wrong"}`)
		}
	}
}
