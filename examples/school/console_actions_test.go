package main

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var flashText = regexp.MustCompile(`(?s)<div class="flash[^>]*><p>(.*?)</p>`)

// act posts a form of the console and returns the message of the next page.
func (p *program) act(t *testing.T, cookie, path string, fields ...string) string {
	t.Helper()
	a := p.post(t, "localhost", path, cookie, fields...)
	require.Equal(t, 303, a.status, "%s: %d %s", path, a.status, a.body)
	page := p.ask(t, "GET", "localhost", a.header.Get("Location"), "", "Cookie", cookie+"; "+a.cookie("flash"))
	said := flashText.FindStringSubmatch(page.body)
	require.Equal(t, 200, page.status, "%s: %d %s", path, page.status, page.body)
	require.NotNil(t, said, "%s: %d %s", path, page.status, page.body)
	return html.UnescapeString(said[1])
}

// confirmRestore drops the schema that a restore has retained: ada requests it and grace approves.
func (p *program) confirmRestore(t *testing.T, k key, cookie, slug, schema string) {
	t.Helper()
	asked := p.post(t, "localhost", "/admin/tenants/"+slug+"/confirm", cookie, "retained", schema).expect(t, 303)
	path := asked.header.Get("Location")
	shown := p.ask(t, "GET", "localhost", path, "", "Cookie", cookie+"; "+asked.cookie("flash")).
		expect(t, 200, "that a restore has kept", schema)
	token := regexp.MustCompile(`<code id="secret">([^<]+)</code>`).FindStringSubmatch(shown.body)[1]
	confirm := func(seconds int) string {
		return p.act(t, cookie, path+"/drop", "slug", slug, "schema", schema, "token", token, "code",
			k.codeAt(t, ada, seconds))
	}
	said := confirm(30)
	assert.Contains(t, said, "not approved", "the message to one person is %q", said)
	second := p.logIn(t, k, grace, -30)
	said = p.act(t, second, path+"/approve", "code", k.codeAt(t, grace, 0))
	assert.Contains(t, said, "Approved.", "the message to the second person is %q", said)
	said = confirm(30)
	assert.Contains(t, said, schema+" is deleted", "the message to the first person is %q", said)
}

// Every action of the console on a school, and its refusals, in one sequence.
func TestConsoleActions(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	cookie := p.logIn(t, k, ada, 0)
	const a = "/admin/tenants/schoola"
	expect := func(want, path string, fields ...string) {
		t.Helper()
		assert.Contains(t, p.act(t, cookie, path, fields...), want, "%s %v says", path, fields)
	}
	expect("is in maintenance", a+"/status", "to", "maintenance", "reason", "A new roof.", "minutes", "30")
	eventually(t, "the school hears of it", func() bool {
		got := p.ask(t, "GET", "schoola.localhost", "/", "", "Accept", "text/html")
		return got.status == 503 && strings.Contains(got.body, "A new roof.") && got.header.Get("Retry-After") != ""
	})
	expect("not possible in the tenant's status", a+"/status", "to", "activate")
	expect("served again", a+"/status", "to", "serve")
	expect("cannot be set here", a+"/status", "to", "dropping")
	expect("is longer than 500 characters", a+"/status", "to", "suspend", "reason", strings.Repeat("x", 501))
	expect("does not exist", a+"/plan", "plan", "gold")
	expect("The plan is premium", a+"/plan", "plan", "premium")

	expect("leads to the school", a+"/domains", "host", "Ash.Localhost")
	expect("domain is taken", "/admin/tenants/schoolb/domains", "host", "ash.localhost")
	expect("is an IP address", a+"/domains", "host", "127.0.0.1")
	expect("is claimed", a+"/domains", "host", "ash.invalid", "proof", "dns")
	page := p.ask(t, "GET", "localhost", a, "", "Cookie", cookie)
	page.expect(t, 200, "_pgtenant.ash.invalid")
	expect("domain is not verified", a+"/domain", "host", "ash.invalid", "do", "primary")
	expect("primary one", a+"/domain", "host", "schoola.localhost", "do", "remove")
	expect("now leads to schoolb", a+"/move", "host", "ash.localhost", "to", "schoolb")
	eventually(t, "the moved domain", func() bool {
		return strings.Contains(p.ask(t, "GET", "ash.localhost", "/", "", "Accept", "text/html").body, "Brookfield College")
	})
	expect("no longer leads to the school", "/admin/tenants/schoolb/domain", "host", "ash.localhost", "do", "remove")

	expect("rows, verified", a+"/backup")
	var name string
	require.NoError(
		t,
		db.Pool.QueryRow(t.Context(),
			"select details->>'backup' from public.audit_log where action = 'backup' and actor = $1", ada).
			Scan(&name),
	)
	_, err := db.Pool.Exec(t.Context(), "update tenant_1.students set last_name = 'Smith'")
	require.NoError(t, err)
	first := func(host, want string) {
		t.Helper()
		eventually(t, host+" has "+want, func() bool {
			return strings.Contains(p.ask(t, "GET", host, "/api/students/1", "").body, want)
		})
	}
	expect("file does not exist", "/admin/tenants/schoolb/restore", "name", name) // the backup of another school
	expect("file does not exist", a+"/restore", "name", "1-schoola/../../logins.key")
	expect("Restored", a+"/restore", "name", name, "as", "schoolcopy")
	first("schoolcopy.localhost", "Okafor")
	expect("The previous schema is kept", a+"/restore", "name", name)
	first("schoola.localhost", "Okafor")
	expect("neither confirmed nor reverted", a+"/restore", "name", name)
	expect("uses schema", a+"/revert", "retained", "tenant_1")
	first("schoola.localhost", "Smith")
	page = p.ask(t, "GET", "localhost", a, "", "Cookie", cookie)
	retained := regexp.MustCompile(`name="retained" value="([^"]+)"`).FindStringSubmatch(page.body)[1]
	expect("has no retained schema", a+"/confirm", "retained", "tenant_2") // the schema of another school
	expect("uses schema", a+"/revert", "retained", retained)
	p.confirmRestore(t, k, cookie, "schoola", "tenant_1")
	first("schoola.localhost", "Okafor")

	_, err = db.Pool.Exec(t.Context(), `with name as (
			insert into public.schema_names (name, tenant_id) values ('ash', 1)
		) insert into public.registry_operations
			(tenant_id, operation, step, failure, arguments)
		values (1, 'rename', 'schema', 'schema: connection lost', '{"schema": "ash"}')`)
	require.NoError(t, err)
	p.ask(t, "GET", "localhost", a, "", "Cookie", cookie).
		expect(t, 200, "rename, since", "next step: schema", "schema: connection lost")
	expect("The interrupted operation is complete", a+"/status", "to", "resume")
	p.ask(t, "GET", "localhost", a, "", "Cookie", cookie).expect(t, 200, "<code>ash</code>")

	for action, want := range map[string]int{"maintenance": 2, "domain_change": 5, "backup": 1, "restore": 2} {
		var n int
		require.NoError(
			t,
			db.Pool.QueryRow(t.Context(),
				"select count(*) from public.audit_log where action = $1 and actor = $2 and ip is not null", action, ada).
				Scan(&n),
		)
		assert.GreaterOrEqual(t, n, want, "the log has %d entries of %s, want", n, action)
	}
	p.ask(t, "GET", "localhost", "/admin/log?tenant=schoola&action=restore&actor="+ada, "", "Cookie", cookie).
		expect(t, 200, "rows")
	p.ask(t, "GET", "localhost", "/admin/log?since=yesterday", "", "Cookie", cookie).expect(t, 422, "Enter a day as")
	p.ask(t, "GET", "localhost", "/admin/log?after=x&action=%27", "", "Cookie", cookie).expect(t, 422)
	p.ask(t, "GET", "localhost", "/admin/tenants/?status=nonsense", "", "Cookie", cookie).expect(t, 422)
	require.NoError(t, p.stop())
}
