package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/internal/pgtest"
)

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with a Host header and other headers, given as name and value. It does not
// follow redirects.
func (p *program) ask(t *testing.T, method, host, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:"+p.port+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res.StatusCode, res.Header, string(content)}
}

// post sends a form as a page of the same site does. fields are given as name and value.
func (p *program) post(t *testing.T, host, path, cookie string, fields ...string) answer {
	t.Helper()
	form := make(url.Values)
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return p.ask(
		t,
		http.MethodPost,
		host,
		path,
		form.Encode(),
		"Content-Type",
		"application/x-www-form-urlencoded",
		"Origin",
		"http://"+host,
		"Cookie",
		cookie,
		"Accept",
		"text/html",
	)
}

// cookie returns the named cookie that the answer sets, in the form of a Cookie header.
func (a answer) cookie(name string) string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name && c.Value != "" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// json decodes the body.
func (a answer) json(t *testing.T, to any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), to), a.body)
}

// expect fails the test unless the answer has the status and contains all of the texts.
func (a answer) expect(t *testing.T, status int, says ...string) answer {
	t.Helper()
	ok := a.status == status
	for _, text := range says {
		ok = ok && strings.Contains(a.body, text)
	}
	assert.True(t, ok, "status %d, want %d with %q: %s", a.status, status, says, a.body)
	return a
}

// startWithKey starts the program on a new database, and returns the key of its data directory.
func startWithKey(t *testing.T) (*program, *pgtest.DB, key) {
	t.Helper()
	p, db, dir := startIn(t)
	k, err := loginKey(filepath.Clean(dir))
	require.NoError(t, err)
	return p, db, k
}

// codeAt returns the one-time code of a staff member at the given number of seconds from now. An
// earlier code is valid until the current step of 30 seconds ends. So codeAt waits for the next
// step if the current one is about to end.
func (k key) codeAt(t *testing.T, email string, seconds int) string {
	t.Helper()
	const step = 30 * time.Second
	if left := step - time.Duration(time.Now().UnixNano()%int64(step)); seconds < 0 && left < step/3 {
		time.Sleep(left)
	}
	return staff.Code(k.secret(email), time.Now().Add(time.Duration(seconds)*time.Second))
}

// logIn logs in a member of the staff and returns the session cookie.
func (p *program) logIn(t *testing.T, k key, email string, seconds int) string {
	t.Helper()
	a := p.post(t, "localhost", "/admin/login", "", "email", email, "password", k.phrase(email), "code",
		k.codeAt(t, email, seconds))
	a.expect(t, 303)
	return a.cookie("staff")
}
