package erp_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/erp"
)

// contract is the OpenAPI document, prepared to check the handlers against it.
type contract struct {
	document
	operations map[string]operation // by method and path, as in "GET /api/students/{id}"
	mux        *http.ServeMux       // routes the same operations
}

type operation struct {
	parameters []parameter
	bodies     map[string]*jsonschema.Schema // by media type; empty if there is no body
	answers    map[string]answer             // by status
}

type parameter struct {
	name, in string
	required bool
	schema   *jsonschema.Schema
	kind     any // the type of the schema
}

type answer struct {
	headers []string
	bodies  map[string]*jsonschema.Schema
}

// theContract parses the document once.
var theContract = sync.OnceValues(func() (*contract, error) {
	doc, err := readDocument(erp.OpenAPI())
	if err != nil {
		return nil, err
	}
	doc.close()
	return newContract(doc)
})

func newContract(doc document) (*contract, error) {
	c := &contract{document: doc, operations: map[string]operation{}, mux: http.NewServeMux()}
	schemas := jsonschema.NewCompiler()
	schemas.DefaultDraft(jsonschema.Draft2020)
	schemas.AssertFormat()
	if err := schemas.AddResource("openapi.json", doc.root); err != nil {
		return nil, err
	}
	for path, methods := range doc.object("/paths") {
		for method := range methods.(map[string]any) {
			at := pointer("/paths", path, method)
			op, err := c.operation(schemas, at)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", at, err)
			}
			route := strings.ToUpper(method) + " " + path
			c.operations[route] = op
			for _, slash := range []string{"", "/{$}"} {
				c.mux.Handle(route+slash, http.NotFoundHandler())
			}
		}
	}
	return c, nil
}

func (c *contract) operation(schemas *jsonschema.Compiler, at string) (op operation, err error) {
	for i := range c.list(at + "/parameters") {
		p := c.follow(at + "/parameters/" + strconv.Itoa(i))
		o := c.object(p)
		schema, err := schemas.Compile("openapi.json#" + p + "/schema")
		if err != nil {
			return op, err
		}
		required, _ := o["required"].(bool)
		op.parameters = append(op.parameters, parameter{
			name:     o["name"].(string),
			in:       o["in"].(string),
			required: required,
			schema:   schema,
			kind:     c.object(p + "/schema")["type"],
		})
	}
	if op.bodies, err = c.bodies(schemas, at+"/requestBody"); err != nil {
		return op, err
	}
	op.answers = map[string]answer{}
	for status := range c.object(at + "/responses") {
		where := c.follow(pointer(at+"/responses", status))
		a := answer{headers: slices.Collect(maps.Keys(c.object(where + "/headers")))}
		if a.bodies, err = c.bodies(schemas, where); err != nil {
			return op, err
		}
		op.answers[status] = a
	}
	return op, nil
}

func (c *contract) bodies(schemas *jsonschema.Compiler, at string) (map[string]*jsonschema.Schema, error) {
	bodies := map[string]*jsonschema.Schema{}
	for mediaType := range c.object(at + "/content") {
		schema, err := schemas.Compile("openapi.json#" + pointer(at+"/content", mediaType, "schema"))
		if err != nil {
			return nil, err
		}
		bodies[mediaType] = schema
	}
	return bodies, nil
}

// hold wraps next. It fails the test if an answer, or a request that next accepts, does not conform
// to the document. It calls seen with the operation and status of each answer.
func (c *contract) hold(t testing.TB, next http.Handler, seen func(operation, status string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answered := httptest.NewRecorder()
		next.ServeHTTP(answered, r)
		// A handler without a signer, for example, has no login.
		unregistered := strings.Contains(answered.Body.String(), "There is nothing at this address.")
		if _, route := c.mux.Handler(r); route != "" && !unregistered {
			route = strings.TrimSuffix(route, "/{$}")
			err := c.operations[route].check(r, body, answered)
			assert.NoError(t, err, "%s %s, by the document's %s:\n%s", r.Method, r.URL, route, answered.Body)
			seen(route, strconv.Itoa(answered.Code))
		}
		maps.Copy(w.Header(), answered.Header())
		w.WriteHeader(answered.Code)
		_, _ = w.Write(answered.Body.Bytes())
	})
}

// check compares one answer with the document, and also the request if it was accepted.
func (op operation) check(r *http.Request, body []byte, w *httptest.ResponseRecorder) error {
	documented, ok := op.answers[strconv.Itoa(w.Code)]
	if !ok {
		documented, ok = op.answers[strconv.Itoa(w.Code/100)+"XX"]
	}
	if !ok {
		return fmt.Errorf("status %d is not documented", w.Code)
	}
	for _, name := range documented.headers {
		if w.Header().Get(name) == "" {
			return fmt.Errorf("header %s is missing from an answer with %d", name, w.Code)
		}
	}
	err := conforms(documented.bodies, w.Header().Get("Content-Type"), w.Body.Bytes())
	if err != nil && r.Method != http.MethodHead {
		return fmt.Errorf("answer with %d: %w", w.Code, err)
	}
	if w.Code < 300 {
		return cmp.Or(op.checkParameters(r), conforms(op.bodies, requestType(r, body), body))
	}
	return nil
}

// requestType returns the media type of the body. Without a body the header does not matter.
func requestType(r *http.Request, body []byte) string {
	if len(body) == 0 {
		return ""
	}
	return r.Header.Get("Content-Type")
}

func conforms(bodies map[string]*jsonschema.Schema, contentType string, body []byte) error {
	if len(bodies) == 0 {
		return nil // the document has no body, and one that is sent is ignored
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType, err)
	}
	schema, ok := bodies[mediaType]
	if !ok {
		return fmt.Errorf("content type %s is not documented", mediaType)
	}
	if !strings.HasSuffix(mediaType, "json") {
		return schema.Validate(string(body))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func (op operation) checkParameters(r *http.Request) error {
	query := r.URL.Query()
	var errs []error
	for _, p := range op.parameters {
		var values []string
		switch p.in {
		case "query":
			values = query[p.name]
			delete(query, p.name)
		case "header":
			values = r.Header.Values(p.name)
		case "path":
			continue // the route has matched it
		}
		if len(values) == 0 && p.required {
			errs = append(errs, fmt.Errorf("accepted without %s", p.name))
		}
		for _, v := range values {
			if err := p.schema.Validate(p.value(v)); err != nil {
				errs = append(errs, fmt.Errorf("accepted with %s: %w", p.name, err))
			}
		}
	}
	for name := range query {
		errs = append(errs, fmt.Errorf("accepted with %s, which is not documented", name))
	}
	return errors.Join(errs...)
}

// value converts the text of a parameter to its type.
func (p parameter) value(s string) any {
	switch p.kind {
	case "integer":
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	case "boolean":
		if b, err := strconv.ParseBool(cmp.Or(s, "true")); err == nil { // the name alone means true
			return b
		}
	}
	return s
}
