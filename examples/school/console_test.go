package main

import (
	"encoding/base32"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

const ada, grace = "ada@platform.example", "grace@platform.example"

// Every failed login gets the same answer, and a code can be used once.
func TestStaffLogInWithPasswordAndCode(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	attempt := func(email, password, code string) answer {
		return p.post(t, "localhost", "/admin/login", "", "email", email, "password", password, "code", code)
	}
	said := make(map[string]bool)
	for name, a := range map[string]answer{
		"wrong password": attempt(ada, "wrong", k.codeAt(t, ada, 0)),
		"wrong code":     attempt(ada, k.phrase(ada), "000000"),
		"other's code":   attempt(ada, k.phrase(ada), k.codeAt(t, grace, 0)),
		"nobody":         attempt("nobody@platform.example", k.phrase(ada), k.codeAt(t, ada, 0)),
		"no address":     attempt("'; drop table platform_users; --", "x", "y"),
	} {
		if assert.Equal(t, 401, a.status, name) {
			assert.Empty(t, a.cookie("staff"), name)
		}
		said[regexp.MustCompile(`value="[^"]*"`).ReplaceAllString(a.body, "")] = true
	}
	assert.Len(t, said, 1, "the answers to wrong credentials differ")
	code := k.codeAt(t, ada, 0)
	first := attempt(strings.ToUpper(ada), k.phrase(ada), code).expect(t, 303)
	attempt(ada, k.phrase(ada), code).expect(t, 401) // the code is used
	cookie := first.cookie("staff")
	p.ask(t, "GET", "localhost", "/admin/", "", "Cookie", cookie).expect(t, 200, "Overview", ada)
	// Each kind of figure shows its own time of counting.
	aged := regexp.MustCompile(
		`(?s)schools active</a><small class="dim"> \(counted .*oldest of the latest backups<small class="dim"> \(counted .*` +
			`schools without a backup<small class="dim"> \(counted .*schemas with pending migrations</a>, \d+ current` +
			`<small class="dim"> \(counted `,
	)
	eventually(t, "figures with their ages", func() bool {
		return aged.MatchString(p.ask(t, "GET", "localhost", "/admin/", "", "Cookie", cookie).body)
	})
	for _, host := range []string{"schoola.localhost", "nosuch.localhost"} {
		p.ask(t, "GET", host, "/admin/", "", "Cookie", cookie).expect(t, 404)
	}
	for _, set := range first.header["Set-Cookie"] {
		assert.Contains(t, set, "HttpOnly", "cookie")
		assert.Contains(t, set, "SameSite=Lax", "cookie")
		assert.Contains(t, set, "Path=/", "cookie")
	}
	var logged int
	eventually(t, "the log", func() bool {
		require.NoError(
			t,
			db.Pool.QueryRow(t.Context(),
				`select count(*) filter (where action = 'login_failed') * 10
					+ count(*) filter (where action = 'login' and actor = $1)
			from public.audit_log`, ada).
				Scan(&logged),
		)
		return logged == 61
	})
	assert.Equal(t, 1,
		strings.Count(p.ask(t, "GET", "localhost", "/metrics", "").body, `pgtenant_login_failures_total{tenant="public"} 6`),
		"the failed logins are not counted")

	// After the logout a copy of the session is invalid, too.
	p.post(t, "localhost", "/admin/logout", cookie).expect(t, 303)
	p.ask(t, "GET", "localhost", "/admin/tenants/", "", "Cookie", cookie).expect(t, 303)
	for range 12 {
		attempt(grace, "a guess", "123456")
	}
	attempt(grace, k.phrase(grace), k.codeAt(t, grace, 0)).expect(t, 429)
	require.NoError(t, p.stop())
}

// Without a session only the login page of the console is served, for reads and for writes.
func TestTheConsoleIsForStaffAlone(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	for _, path := range []string{
		"/admin/", "/admin/tenants/", "/admin/tenants/schoola", "/admin/log", "/admin/migrations", "/admin/nosuch",
	} {
		a := p.ask(t, "GET", "localhost", path, "")
		assert.Equal(t, 303, a.status, "%s: %d %s", path, a.status, a.body)
		assert.True(t, strings.HasPrefix(a.header.Get("Location"), "/admin/login"), "%s: %d %s", path, a.status, a.body)
	}
	p.post(t, "localhost", "/admin/tenants/schoola/status", "staff=forged", "to", "suspend").expect(t, 303)

	cookie := p.logIn(t, k, ada, 0)
	for name, headers := range map[string][]string{
		"another site":   {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"a school":       {"Sec-Fetch-Site", "same-site", "Origin", "http://schoola.localhost"},
		"another origin": {"Origin", "http://schoola.localhost"},
		"no origin":      nil,
	} {
		headers = append(headers, "Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie)
		a := p.ask(t, "POST", "localhost", "/admin/tenants/schoola/status", "to=suspend", headers...)
		assert.Equal(t, 403, a.status, "a form of %s", name)
	}
	var status string
	require.NoError(t,
		db.Pool.QueryRow(t.Context(), "select status from public.tenants where slug = 'schoola'").Scan(&status))
	assert.Equal(t, "active", status, "school A is %s", status)
	p.ask(t, "POST", "localhost", "/admin/new", "{}", "Content-Type", "application/json",
		"Cookie", cookie, "Origin", "http://localhost").
		expect(t, 415)
	p.post(t, "localhost", "/admin/new", cookie, "name", strings.Repeat("x", 70_000)).expect(t, 413)
	page := p.ask(t, "GET", "localhost", "/admin/tenants/schoola", "", "Cookie", cookie).expect(t, 200)
	policy := page.header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'")
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "no-store", page.header.Get("Cache-Control"),
		"the page may be kept, or has a script or a style of its own: %v", page.header)
	assert.NotContains(t, page.body, "<script",
		"the page may be kept, or has a script or a style of its own: %v", page.header)
	assert.NotContains(t, page.body, " style=",
		"the page may be kept, or has a script or a style of its own: %v", page.header)
	require.NoError(t, p.stop())
}

// One person alone cannot drop a school, and the log has each step with its actor.
func TestDropNeedsTwoMembersOfStaff(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	first, second := p.logIn(t, k, ada, -30), p.logIn(t, k, grace, -30)
	p.post(t, "localhost", "/admin/tenants/schoolc/drop", first, "slug", "schoolb").expect(t, 303)
	asked := p.post(t, "localhost", "/admin/tenants/schoolc/drop", first, "slug", "schoolc").expect(t, 303)
	path := asked.header.Get("Location")
	shown := p.ask(t, "GET", "localhost", path, "", "Cookie", first+"; "+asked.cookie("flash")).
		expect(t, 200, "This will be deleted", "schoolc.localhost")
	token := regexp.MustCompile(`<code id="secret">([^<]+)</code>`).FindStringSubmatch(shown.body)[1]
	drop := func(cookie, email string, seconds int) {
		p.post(t, "localhost", path+"/drop", cookie, "slug", "schoolc", "token", token, "code", k.codeAt(t, email, seconds)).
			expect(t, 303)
	}
	gone := func() (gone bool) {
		require.NoError(t,
			db.Pool.QueryRow(t.Context(), "select not exists (select from public.tenants where slug = 'schoolc')").Scan(&gone))
		return gone
	}
	p.post(t, "localhost", "/admin/tenants/schoolc/backup", first).expect(t, 303)
	drop(first, ada, 0) // not approved
	p.post(t, "localhost", path+"/approve", first, "code", k.codeAt(t, ada, 30)).expect(t, 303)
	drop(second, grace, 0) // not the requester
	p.post(t, "localhost", path+"/approve", second, "code", "000000").expect(t, 303)
	drop(first, ada, 0)
	require.False(t, gone(), "one person has dropped a school")
	p.post(t, "localhost", path+"/approve", second, "code", k.codeAt(t, grace, 0)).expect(t, 303)
	p.post(t, "localhost", path+"/drop", first, "slug", "schoolc", "token", token, "code", "000000").expect(t, 303)
	require.False(t, gone(), "dropped without a code")
	// Ada has used the code of the next step for her own approval, and a later code is not valid yet.
	_, err := db.Pool.Exec(t.Context(), "update public.staff_codes set last_step = 0")
	require.NoError(t, err)
	drop(first, ada, 0)
	require.True(t, gone(), "two people cannot drop the school")
	p.ask(t, http.MethodGet, "schoolc.localhost", "/api/students/", "")
	var actors string
	require.NoError(t,
		db.Pool.QueryRow(t.Context(), `select string_agg(action || ' ' || actor, ', ' order by at) from public.audit_log
		where action in ('drop_requested', 'drop_approved', 'drop_started', 'drop_done')`).Scan(&actors))
	want := "drop_requested " + ada + ", drop_approved " + grace +
		", drop_approved " + ada + ", drop_started " + ada + ", drop_done " + ada
	assert.Equal(t, want, actors, "logged")
	require.NoError(t, p.stop())
}

// A new member gets a random password and secret that are shown once. A dismissed member's session
// ends at once.
func TestStaffAreAddedAndDisabled(t *testing.T) {
	t.Parallel()
	p, db, dir := startIn(t)
	school := func(args ...string) (string, error) {
		var out strings.Builder
		err := run(t.Context(), append([]string{"--database-url", db.URL, "--data-dir", dir}, args...), &out, io.Discard)
		return out.String(), err
	}
	const lin = "lin@platform.example"
	said, err := school("hire", lin, "Lin Chen")
	require.NoError(t, err)
	password := regexp.MustCompile(`the password (\S+) and`).FindStringSubmatch(said)[1]
	secret, err := base32.StdEncoding.DecodeString(regexp.MustCompile(`secret=([A-Z2-7]+)`).FindStringSubmatch(said)[1])
	require.NoError(t, err)
	code := staff.Code(secret, time.Now())
	a := p.post(t, "localhost", "/admin/login", "", "email", lin, "password", password, "code", code).expect(t, 303)
	cookie := a.cookie("staff")
	p.ask(t, "GET", "localhost", "/admin/", "", "Cookie", cookie).expect(t, 200, lin)
	_, err = school("hire", lin, "Lin Chen")
	assert.ErrorIs(t, err, platformuser.ErrEmailTaken, "hired twice")
	_, err = school("dismiss", lin)
	require.NoError(t, err)
	p.ask(t, "GET", "localhost", "/admin/", "", "Cookie", cookie).expect(t, 303)
	said, err = school("logins")
	require.NoError(t, err)
	assert.NotContains(t, said, password, "the logins are %s", said)
	assert.Contains(t, said, "admin@schoolc.example", "the logins are %s", said)
	require.NoError(t, p.stop())
}
