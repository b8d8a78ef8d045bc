package erp_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is JSON with references to its own parts.
type document struct{ root any }

func readDocument(content []byte) (document, error) {
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	return document{root}, err
}

// pointer adds tokens to a JSON pointer (RFC 6901).
func pointer(to string, tokens ...string) string {
	for _, token := range tokens {
		to += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
	}
	return to
}

// get returns the value at a pointer, or nil.
func (d document) get(at string) any {
	value := d.root
	for token := range strings.SplitSeq(strings.TrimPrefix(at, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch v := value.(type) {
		case map[string]any:
			value = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// object and list return the value at a pointer, or nil if it has another type.
func (d document) object(at string) map[string]any {
	o, _ := d.get(at).(map[string]any)
	return o
}

func (d document) list(at string) []any {
	l, _ := d.get(at).([]any)
	return l
}

// follow returns the target of the reference at a pointer, or the pointer itself if there is no
// reference.
func (d document) follow(at string) string {
	if ref, ok := d.object(at)["$ref"].(string); ok {
		return strings.TrimPrefix(ref, "#")
	}
	return at
}

// walk calls visit for every object of the document.
func (d document) walk(visit func(at string, o map[string]any)) {
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch v := value.(type) {
		case map[string]any:
			visit(at, v)
			for name, child := range v {
				walk(pointer(at, name), child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprint(at, "/", i), child)
			}
		}
	}
	walk("", d.root)
}

// close makes every schema refuse fields that it does not name. The published document allows them,
// because later versions may add fields.
func (d document) close() {
	d.walk(func(_ string, o map[string]any) {
		if _, more := o["additionalProperties"]; !more && o["type"] == "object" && o["properties"] != nil {
			o["additionalProperties"] = false
		}
	})
}
