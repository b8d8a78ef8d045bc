package audit

import (
	"encoding/json"
	"strings"
)

// MaxDetails is the maximum length of the JSON text of an entry's details, in bytes. Longer details
// are cut, see [Entry].Details.
const MaxDetails = 8192

const (
	redacted   = "[redacted]"
	maxExcerpt = 1024 // bytes kept of details that are too long
)

// secretWords are parts of keys whose values are never logged.
var secretWords = []string{
	"password",
	"passwd",
	"secret",
	"token",
	"authorization",
	"cookie",
	"apikey",
	"api_key",
	"private_key",
	"credential",
}

func secret(key string) bool {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	for _, word := range secretWords {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// encodeDetails returns the canonical JSON of details. Details that cannot be encoded as JSON are a
// [FieldError]. Details that are too long, too deep or hold a number that is too large are cut
// instead of refused, because a client may have chosen them.
func encodeDetails(details map[string]any) (string, error) {
	if len(details) == 0 {
		return "{}", nil
	}
	text, err := json.Marshal(details)
	if err != nil {
		return "", &FieldError{Field: "details", Rule: "is not JSON", Err: err}
	}
	form, err := canonical(text, secret)
	if err != nil || len(form) > MaxDetails {
		return excerpt(form, len(text)), nil
	}
	return string(form), nil
}

// excerpt returns the replacement for details that are not stored whole. form is nil if there is no
// form without secrets.
func excerpt(form []byte, size int) string {
	b, _ := appendNumber([]byte(`{"truncated_bytes":`), itoa(int64(size))) // a small number cannot fail
	b = append(b, `,"truncated_text":`...)
	b = appendString(b, cut(clean(string(form[:min(len(form), maxExcerpt)])), maxExcerpt))
	return string(append(b, '}'))
}
