package main

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

var flashText = regexp.MustCompile(`(?s)<div class="flash[^>]*><p>(.*?)</p>`)

// deed posts a form of the console and returns what the page behind it says of it.
func (p *program) deed(t *testing.T, cookie, path string, fields ...string) string {
	t.Helper()
	a := p.post(t, "localhost", path, cookie, fields...)
	if a.status != 303 {
		t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	page := p.ask(t, "GET", "localhost", a.header.Get("Location"), "", "Cookie", cookie+"; "+a.cookie("flash"))
	said := flashText.FindStringSubmatch(page.body)
	if page.status != 200 || said == nil {
		t.Fatalf("%s: %d %s", path, page.status, page.body)
	}
	return html.UnescapeString(said[1])
}

// confirmRestore has ada drop what a restore has put aside, which takes grace as well.
func (p *program) confirmRestore(t *testing.T, k key, cookie, slug, schema string) {
	t.Helper()
	asked := p.post(t, "localhost", "/admin/tenants/"+slug+"/confirm", cookie, "aside", schema).expect(t, 303)
	path := asked.header.Get("Location")
	shown := p.ask(t, "GET", "localhost", path, "", "Cookie", cookie+"; "+asked.cookie("flash")).expect(t, 200, "which a restore has put aside", schema)
	token := regexp.MustCompile(`<code id="secret">([^<]+)</code>`).FindStringSubmatch(shown.body)[1]
	confirm := func(seconds int) string {
		return p.deed(t, cookie, path+"/drop", "slug", slug, "schema", schema, "token", token, "code", k.codeAt(t, ada, seconds))
	}
	if said := confirm(30); !strings.Contains(said, "not approved") {
		t.Errorf("one person alone is told %q", said)
	}
	second := p.logIn(t, k, grace, -30)
	if said := p.deed(t, second, path+"/approve", "code", k.codeAt(t, grace, 0)); !strings.Contains(said, "Approved.") {
		t.Errorf("the second one is told %q", said)
	}
	if said := confirm(30); !strings.Contains(said, schema+" is dropped") {
		t.Errorf("the first one is told %q", said)
	}
}

// Each thing that the console does to a school, and what it refuses, in the order of a bad day.
func TestWhatTheConsoleDoesToASchool(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	cookie := p.logIn(t, k, ada, 0)
	const a = "/admin/tenants/schoola"
	expect := func(want, path string, fields ...string) {
		t.Helper()
		if said := p.deed(t, cookie, path, fields...); !strings.Contains(said, want) {
			t.Errorf("%s %v says %q, not %q", path, fields, said, want)
		}
	}
	expect("In maintenance", a+"/status", "to", "maintenance", "reason", "A new roof.", "minutes", "30")
	eventually(t, "the school hears of it", func() bool {
		got := p.ask(t, "GET", "schoola.localhost", "/", "", "Accept", "text/html")
		return got.status == 503 && strings.Contains(got.body, "A new roof.") && got.header.Get("Retry-After") != ""
	})
	expect("not possible in the tenant's status", a+"/status", "to", "activate")
	expect("Served again", a+"/status", "to", "serve")
	expect("is none that can be set here", a+"/status", "to", "dropping")
	expect("is longer than 500 characters", a+"/status", "to", "suspend", "reason", strings.Repeat("x", 501))
	expect("is none of ours", a+"/plan", "plan", "gold")
	expect("The plan is premium", a+"/plan", "plan", "premium")

	expect("leads to the school", a+"/domains", "host", "Ash.Localhost")
	expect("domain is taken", "/admin/tenants/schoolb/domains", "host", "ash.localhost")
	expect("is an IP address", a+"/domains", "host", "127.0.0.1")
	expect("is claimed", a+"/domains", "host", "ash.invalid", "proof", "dns")
	page := p.ask(t, "GET", "localhost", a, "", "Cookie", cookie)
	page.expect(t, 200, "_pgtenant.ash.invalid")
	expect("domain is not verified", a+"/domain", "host", "ash.invalid", "do", "primary")
	expect("primary one", a+"/domain", "host", "schoola.localhost", "do", "remove")
	expect("leads to schoolb now", a+"/move", "host", "ash.localhost", "to", "schoolb")
	eventually(t, "the moved domain", func() bool {
		return strings.Contains(p.ask(t, "GET", "ash.localhost", "/", "", "Accept", "text/html").body, "Brookfield College")
	})
	expect("does not lead to the school any more", "/admin/tenants/schoolb/domain", "host", "ash.localhost", "do", "remove")

	expect("read them back", a+"/backup")
	var name string
	check(t, db.Pool.QueryRow(t.Context(), "select details->>'backup' from public.audit_log where action = 'backup' and actor = $1", ada).Scan(&name))
	_, err := db.Pool.Exec(t.Context(), "update tenant_1.students set last_name = 'Smith'")
	check(t, err)
	first := func(host, want string) {
		t.Helper()
		eventually(t, host+" has "+want, func() bool {
			return strings.Contains(p.ask(t, "GET", host, "/api/students/1", "").body, want)
		})
	}
	expect("file does not exist", "/admin/tenants/schoolb/restore", "name", name) // is another school's
	expect("file does not exist", a+"/restore", "name", "1-schoola/../../logins.key")
	expect("Restored", a+"/restore", "name", name, "as", "schoolcopy")
	first("schoolcopy.localhost", "Okafor")
	expect("What was there is kept", a+"/restore", "name", name)
	first("schoola.localhost", "Okafor")
	expect("neither confirmed nor reverted", a+"/restore", "name", name)
	expect("is back", a+"/revert", "aside", "tenant_1")
	first("schoola.localhost", "Smith")
	aside := regexp.MustCompile(`name="aside" value="([^"]+)"`).FindStringSubmatch(p.ask(t, "GET", "localhost", a, "", "Cookie", cookie).body)[1]
	expect("is kept aside", a+"/confirm", "aside", "tenant_2") // is not this school's
	expect("is back", a+"/revert", "aside", aside)
	p.confirmRestore(t, k, cookie, "schoola", "tenant_1")
	first("schoola.localhost", "Okafor")

	for action, want := range map[string]int{"maintenance": 2, "domain_change": 5, "backup": 1, "restore": 2} {
		var n int
		check(t, db.Pool.QueryRow(t.Context(), "select count(*) from public.audit_log where action = $1 and actor = $2 and ip is not null", action, ada).Scan(&n))
		if n < want {
			t.Errorf("the log has %d entries of %s, want %d", n, action, want)
		}
	}
	p.ask(t, "GET", "localhost", "/admin/log?tenant=schoola&action=restore&actor="+ada, "", "Cookie", cookie).expect(t, 200, "rows")
	p.ask(t, "GET", "localhost", "/admin/log?since=yesterday", "", "Cookie", cookie).expect(t, 422, "A day is written as")
	p.ask(t, "GET", "localhost", "/admin/log?after=x&action=%27", "", "Cookie", cookie).expect(t, 422)
	p.ask(t, "GET", "localhost", "/admin/tenants/?status=nonsense", "", "Cookie", cookie).expect(t, 422)
	check(t, p.stop())
}
