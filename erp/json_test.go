package erp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReadJSON checks that whatever is read and valid is what PostgreSQL can hold, and that
// whatever is not is refused with a status of the client's.
func FuzzReadJSON(f *testing.F) {
	f.Add(`{"admission_number": "1", "first_name": "A", "last_name": "B", "date_of_birth": "2012-01-01", "class_id": 1}`)
	f.Add(`{"admission_number": "\u0000", "first_name": "\ud800"}`)
	f.Add(`{"date_of_birth": {}}`)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		var input NewStudent
		err := readJSON(httptest.NewRecorder(), r, &input)
		var refused *bodyError
		if err != nil {
			if !errors.As(err, &refused) || refused.status/100 != 4 || refused.detail == "" {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if input.Validate() == nil {
			for _, s := range []string{input.AdmissionNumber, input.FirstName, input.LastName} {
				if s == "" || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
					t.Errorf("%q lets %q through", body, s)
				}
			}
		}
	})
}
