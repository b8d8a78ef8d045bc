package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

const formType = "application/x-www-form-urlencoded"

func posted(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestWhatIsNoFormIsRefused(t *testing.T) {
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
		if ok != (c.want == 200) || w.Code != c.want || ok && form.Text("name") != "Elm Park" {
			t.Errorf("%s: %v, %d %s", name, form, w.Code, w.Body)
		}
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
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
		if ok != (c.want == 200) || w.Code != c.want {
			t.Errorf("%s: %v, %d %s", name, ok, w.Code, w.Body)
		}
		if !ok {
			continue
		}
		if text, err := io.ReadAll(content); err != nil || string(text) != "content" {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
}

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"name": "x"}`: 200, `{"name": 1}`: 400, `{"other": "x"}`: 400, `{"name": "x"} {}`: 400, `{"name": "x"`: 400, ``: 400,
		`{"name": "` + strings.Repeat("x", maxForm) + `"}`: 413,
	} {
		var to struct {
			Name string `json:"name"`
		}
		w := httptest.NewRecorder()
		if ok := ReadJSON(w, posted("application/json", body), &to); ok != (want == 200) || w.Code != want {
			t.Errorf("%.40s: %v %d", body, ok, w.Code)
		}
	}
	if w := httptest.NewRecorder(); ReadJSON(w, posted("text/plain", "{}"), new(any)) || w.Code != 415 {
		t.Errorf("text/plain: %d", w.Code)
	}
}

// Whatever is posted, a field is text that a database can hold, or the answer says what is wrong.
func FuzzReadForm(f *testing.F) {
	f.Add(formType, "name=a&name=b")
	f.Add(formType, "name=%00&x=%ff")
	f.Add("multipart/form-data; boundary=b", "--b--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		w := httptest.NewRecorder()
		form, ok := ReadForm(w, posted(contentType, body))
		if !ok {
			if w.Code < 400 || w.Code > 415 {
				t.Errorf("status %d", w.Code)
			}
			return
		}
		for name := range form.values {
			if v := form.Secret(name); !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				t.Errorf("%q is %q", name, v)
			}
		}
	})
}

func FuzzReadFile(f *testing.F) {
	f.Add("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n")
	f.Add("multipart/form-data; boundary=", "--\r\n")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		w := httptest.NewRecorder()
		if _, ok := ReadFile(w, posted(contentType, body), "file"); !ok && (w.Code < 400 || w.Code > 415) {
			t.Errorf("status %d", w.Code)
		}
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
		if ok := ReadJSON(w, posted("application/json", body), &to); !ok && (w.Code < 400 || w.Code > 415) {
			t.Errorf("status %d", w.Code)
		}
	})
}
