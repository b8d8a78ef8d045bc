package erp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzReadJSON checks that valid input can be stored by PostgreSQL, and that other input is refused
// with a 4xx status.
func FuzzReadJSON(f *testing.F) {
	f.Add(`{"admission_number": "1", "first_name": "A", "last_name": "B", "date_of_birth": "2012-01-01", "class_id": 1}`)
	f.Add(`{"admission_number": "\u0000", "first_name": "\ud800"}`)
	f.Add(`{"date_of_birth": {}}`)
	f.Add(
		`{"name": "A", "year": 2026, "section": "", "class_ids": [1, 1], ` +
			`"children": [{"student_id": 1, "relation": "\u0000"}]}`,
	)
	f.Add(`{"email": "a@example.com", "name": "A", "role": "admin", "disabled": true}`)
	f.Add(`{"class_id": 1, "name": "A", "term": "B", "amount_minor": 9007199254740992, "currency": "EUR"}`)
	f.Add(`{"student_id": 1, "fee_structure_id": 1, "due_on": "2026-01-01"}`)
	f.Add(`{"due_on": "2201-01-01", "cancelled": true}`)
	f.Add(
		`{"fee_id": 1, "kind": "refund", "amount_minor": 1, "currency": "JPY", "method": "cash", "reference": "\u0000", ` +
			`"paid_on": "2026-01-01"}`,
	)
	f.Fuzz(func(t *testing.T, body string) {
		fuzzInput[NewStudent](t, body)
		fuzzInput[NewClass](t, body)
		fuzzInput[NewTeacher](t, body)
		fuzzInput[NewParent](t, body)
		fuzzInput[NewUser](t, body)
		fuzzInput[NewFeeStructure](t, body)
		fuzzInput[NewFee](t, body)
		fuzzInput[FeeChange](t, body)
		fuzzInput[Generation](t, body)
		fuzzInput[NewPayment](t, body)
	})
}

func fuzzInput[N interface{ Validate() error }](t *testing.T, body string) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	var input N
	err := readJSON(httptest.NewRecorder(), r, &input)
	var refused *bodyError
	if err != nil {
		require.ErrorAs(t, err, &refused, "%q", body)
		require.Equal(t, 4, refused.status/100, "%q", body)
		require.NotEmpty(t, refused.detail, "%q", body)
		return
	}
	if input.Validate() != nil {
		return
	}
	text, err := json.Marshal(input)
	if assert.NoError(t, err, "%q accepts %s", body, text) &&
		assert.False(t, bytes.Contains(text, []byte(`\u0000`)), "%q accepts %s, %v", body, text, err) {
		assert.True(t, utf8.Valid(text), "%q accepts %s, %v", body, text, err)
	}
}
