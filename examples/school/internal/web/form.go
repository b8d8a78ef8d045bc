package web

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/oryne/pgtenant/tenancy"
)

// maxForm is more than any form of the program has.
const maxForm = 64 << 10

// Form is what somebody has filled in.
type Form struct{ values url.Values }

// ReadForm reads the body of a posted form. What is no form is a [tenancy.Problem] that has been sent: 415 for another content
// type, 413 for what is too long, 400 for the rest.
func ReadForm(w http.ResponseWriter, r *http.Request) (Form, bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		tenancy.Problem{Status: http.StatusUnsupportedMediaType, Detail: "A form is application/x-www-form-urlencoded."}.Respond(w)
		return Form{}, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var tooLong *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &tooLong):
		tenancy.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The form is longer than 64 KiB."}.Respond(w)
		return Form{}, false
	case err != nil:
		tenancy.Problem{Status: http.StatusBadRequest, Detail: "The form cannot be read."}.Respond(w)
		return Form{}, false
	}
	return Form{r.PostForm}, true
}

// Text returns a field as one line: without blanks around it, and without what no field of ours may have.
func (f Form) Text(name string) string { return strings.TrimSpace(f.Secret(name)) }

// Secret returns a field as it was typed, such as a password. What is not text is nothing.
func (f Form) Secret(name string) string {
	value := f.values.Get(name)
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return ""
	}
	return value
}
