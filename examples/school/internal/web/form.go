package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// maxForm is the maximum size of a form in bytes. It is larger than any form of the program.
const maxForm = 64 << 10

// Form holds the fields of a posted form.
type Form struct{ values url.Values }

// ReadForm reads the body of a posted form. If it returns false, it has answered with a
// [tenanthttp.Problem]: 415 for another content type, 413 for a body that is too long, 400
// otherwise.
func ReadForm(w http.ResponseWriter, r *http.Request) (Form, bool) {
	if kind, _, err := mime.ParseMediaType(
		r.Header.Get("Content-Type"),
	); err != nil ||
		kind != "application/x-www-form-urlencoded" {
		tenanthttp.Problem{
			Status: http.StatusUnsupportedMediaType,
			Detail: "A form is application/x-www-form-urlencoded.",
		}.Respond(
			w,
		)
		return Form{}, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var tooLong *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &tooLong):
		tenanthttp.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The form is longer than 64 KiB."}.Respond(w)
		return Form{}, false
	case err != nil:
		tenanthttp.Problem{Status: http.StatusBadRequest, Detail: "The form cannot be read."}.Respond(w)
		return Form{}, false
	}
	return Form{r.PostForm}, true
}

// Text returns a field without surrounding white space, or "" if it is not valid text.
func (f Form) Text(name string) string { return strings.TrimSpace(f.Secret(name)) }

// Secret returns a field as it was typed, such as a password. It returns "" if the field is not
// valid UTF-8 or contains a zero byte.
func (f Form) Secret(name string) string {
	value := f.values.Get(name)
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return ""
	}
	return value
}

// maxFile is the maximum size of an uploaded file in bytes.
const maxFile = 8 << 20

// ReadFile reads the file in the named field of a posted form. If it returns false, it has answered
// as [ReadForm] does, or with 400 if there is no file.
func ReadFile(w http.ResponseWriter, r *http.Request, name string) (io.Reader, bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "multipart/form-data" {
		tenanthttp.Problem{
			Status: http.StatusUnsupportedMediaType,
			Detail: "A file is sent as multipart/form-data.",
		}.Respond(
			w,
		)
		return nil, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFile)
	parts, err := r.MultipartReader()
	for err == nil {
		var part *multipart.Part
		if part, err = parts.NextPart(); err == nil && part.FormName() == name && part.FileName() != "" {
			var content []byte
			if content, err = io.ReadAll(part); err == nil {
				return bytes.NewReader(content), true
			}
		}
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		tenanthttp.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The file is longer than 8 MiB."}.Respond(w)
		return nil, false
	}
	tenanthttp.Problem{Status: http.StatusBadRequest, Detail: "There is no file in the form."}.Respond(w)
	return nil, false
}
