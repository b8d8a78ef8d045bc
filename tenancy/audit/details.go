package audit

import (
	"encoding/json"
	"strings"
)

// MaxDetails is the longest JSON text of an entry's details, in bytes. Longer ones are kept as
// their beginning, see [Entry].Details.
const MaxDetails = 8192

const (
	redacted   = "[redacted]"
	maxExcerpt = 1024 // of details that are too long, in bytes
)

// secretWords are parts of keys whose values never reach the log.
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

// encodeDetails returns the canonical JSON of details. What cannot be JSON is a [FieldError]; what
// is too long, too deep or a number that is too large is not refused, as who is logged may have
// caused it.
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

// excerpt stands for details that are not kept whole. form is nil where there is none without
// secrets.
func excerpt(form []byte, size int) string {
	b, _ := appendNumber([]byte(`{"truncated_bytes":`), itoa(int64(size))) // of few digits
	b = append(b, `,"truncated_text":`...)
	b = appendString(b, cut(clean(string(form[:min(len(form), maxExcerpt)])), maxExcerpt))
	return string(append(b, '}'))
}
