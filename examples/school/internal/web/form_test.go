package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

const formType = "application/x-www-form-urlencoded"

func posted(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestInvalidFormsAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxForm)
	for name, c := range map[string]struct {
		contentType, body string
		want              int
	}{
		"form":         {formType, "name=Elm+Park", 200},
		"with charset": {formType + "; charset=utf-8", "name=Elm+Park", 200},
		"JSON":         {"application/json", `{"name": "x"}`, 415},
		"no type":      {"", "name=x", 415},
		"bad type":     {formType + "; =", "name=x", 415},
		"too long":     {formType, "name=" + long, 413},
		"bad escape":   {formType, "name=%zz", 400},
	} {
		w := httptest.NewRecorder()
		form, ok := ReadForm(w, posted(c.contentType, c.body))
		if assert.Equal(t, c.want == 200, ok, "%s: %v, %d %s", name, form, w.Code, w.Body) &&
			assert.Equal(t, c.want, w.Code, "%s: %v, %d %s", name, form, w.Code, w.Body) {
			assert.False(t, ok && form.Text("name") != "Elm Park", "%s: %v, %d %s", name, form, w.Code, w.Body)
		}
	}
}

func TestInvalidUploadsAreRefused(t *testing.T) {
	t.Parallel()
	const multipart = "multipart/form-data; boundary=b"
	file := "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b\r\n" +
		"Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\ncontent\r\n--b--\r\n"
	for name, c := range map[string]struct {
		contentType, body string
		want              int
	}{
		"file":        {multipart, file, 200},
		"form":        {formType, "file=x", 415},
		"no boundary": {"multipart/form-data", file, 400},
		"no file":     {multipart, "--b--\r\n", 400},
		"cut off":     {multipart, file[:len(file)-20], 400},
		"too long":    {multipart, strings.Replace(file, "content", strings.Repeat("x", maxFile), 1), 413},
	} {
		w := httptest.NewRecorder()
		content, ok := ReadFile(w, posted(c.contentType, c.body), "file")
		assert.Equal(t, c.want == 200, ok, "%s: %v, %d %s", name, ok, w.Code, w.Body)
		assert.Equal(t, c.want, w.Code, "%s: %v, %d %s", name, ok, w.Code, w.Body)
		if !ok {
			continue
		}
		text, err := io.ReadAll(content)
		assert.NoError(t, err, "%s: %q", name, text)
		assert.Equal(t, "content", string(text), name)
	}
}

func TestInvalidJSONIsRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"name": "x"}`: 200, `{"name": 1}`: 400, `{"other": "x"}`: 400, `{"name": "x"} {}`: 400, `{"name": "x"`: 400,
		``: 400,
		`{"name": "` + strings.Repeat("x", maxForm) + `"}`: 413,
	} {
		var to struct {
			Name string `json:"name"`
		}
		w := httptest.NewRecorder()
		ok := ReadJSON(w, posted("application/json", body), &to)
		assert.Equal(t, want == 200, ok, "%.40s: %v %d", body, ok, w.Code)
		assert.Equal(t, want, w.Code, "%.40s: %v", body, ok)
	}
	w := httptest.NewRecorder()
	assert.False(t, ReadJSON(w, posted("text/plain", "{}"), new(any)), "text/plain: %d", w.Code)
	assert.Equal(t, 415, w.Code, "text/plain")
}

// FuzzReadForm checks that every field is text that a database accepts, or that the answer is an
// error.
func FuzzReadForm(f *testing.F) {
	f.Add(formType, "name=a&name=b")
	f.Add(formType, "name=%00&x=%ff")
	f.Add("multipart/form-data; boundary=b", "--b--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		w := httptest.NewRecorder()
		form, ok := ReadForm(w, posted(contentType, body))
		if !ok {
			assert.GreaterOrEqual(t, w.Code, 400, "status")
			assert.LessOrEqual(t, w.Code, 415, "status")
			return
		}
		for name := range form.values {
			v := form.Secret(name)
			assert.True(t, utf8.ValidString(v) && !strings.ContainsRune(v, 0), "%q is %q", name, v)
		}
	})
}

func FuzzReadFile(f *testing.F) {
	f.Add(
		"multipart/form-data; boundary=b",
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n",
	)
	f.Add("multipart/form-data; boundary=", "--\r\n")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		w := httptest.NewRecorder()
		_, ok := ReadFile(w, posted(contentType, body), "file")
		assert.True(t, ok || w.Code >= 400 && w.Code <= 415, "status %d", w.Code)
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`{"name": "x"}`)
	f.Add(`{"name": "\ud800"}`)
	f.Fuzz(func(t *testing.T, body string) {
		var to struct {
			Name string `json:"name"`
		}
		w := httptest.NewRecorder()
		ok := ReadJSON(w, posted("application/json", body), &to)
		assert.True(t, ok || w.Code >= 400 && w.Code <= 415, "status %d", w.Code)
	})
}
