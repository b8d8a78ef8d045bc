package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const jsonType = "application/json"

// A school that is signed up exists at once, is accessible only to its administrator, and is not in
// the public list.
func TestSignUp(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	signUp := func(body string) answer {
		return p.ask(t, "POST", "localhost", "/api/tenants/", body, "Content-Type", jsonType)
	}
	a := signUp(
		`{"name": "Robert'); DROP TABLE tenants;--", "slug": "elmpark", "email": "Me@ElmPark.example", `+
			`"password": "correct horse"}`,
	).expect(t, 201)
	where := a.header.Get("Location")
	assert.Equal(t, "http://elmpark.localhost:"+p.port+"/", where, "it is at %s", where)
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		`{"name": "Elm", "slug": "elmpark", "email": "me@elmpark.example", "password": "correct horse"}`: {
			409, "another school's",
		},
		`{"name": "A", "slug": "schoolz/", "email": "x", "password": "short"}`: {
			422, `"field":"email"`,
		},
		`{"name": "A", "slug": "free", "email": "me@elmpark.example", "password": "short"}`: {
			422, "shorter than 8",
		},
		`{"name": "A", "slug": "www", "email": "me@elmpark.example", "password": "correct horse"}`:      {422, "reserved"},
		`{"name": "A", "slug": "platform", "email": "me@elmpark.example", "password": "correct horse"}`: {422, "reserved"},
		`{"name": "A", "slug": "xn--shoola-8of", "email": "me@elmpark.example", "password": "x"}`: {
			422, "another script",
		},
		`{"name": "A\u202eB", "slug": "free", "email": "me@elmpark.example", "password": "correct horse"}`: {
			422, "turns the direction",
		},
		`{"slug": "free", "schema": "public"}`: {400, ""},
		`{"slug": "free"} {"slug": "two"}`:     {400, ""},
		`[]`:                                   {400, ""},
		`{"name": "` + strings.Repeat("x", 70_000) + `"}`: {413, ""},
	} {
		a := signUp(body).expect(t, want.status, want.says)
		assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"), a.status)
	}
	p.ask(t, "POST", "localhost", "/api/tenants/", "slug=free", "Content-Type", "application/x-www-form-urlencoded").
		expect(t, 415)
	p.ask(t, "DELETE", "localhost", "/api/tenants/", "").expect(t, 405)

	// The public list has only the schools of the demo. Staff see all schools.
	list := p.ask(t, "GET", "localhost", "/api/tenants/", "").expect(t, 200, "schoola", "schoolc")
	assert.NotContains(t, list.body, "elmpark", "the list has other rows")
	assert.NotContains(t, list.body, "tenant_", "the list has other rows")
	in := p.ask(t, "POST", "localhost", "/api/auth/login",
		`{"email": "`+ada+`", "password": "`+k.phrase(ada)+`", "code": "`+k.codeAt(t, ada, 0)+`"}`,
		"Content-Type", jsonType).
		expect(t, 200)
	var session struct{ Token string }
	in.json(t, &session)
	bearer := "Bearer " + session.Token
	p.ask(t, "GET", "localhost", "/api/tenants/?q=elm", "", "Authorization", bearer).expect(t, 200, "elmpark")
	p.ask(t, "GET", "localhost", "/api/auth/me", "", "Authorization", bearer).expect(t, 200, ada)
	p.ask(t, "GET", "localhost", "/api/tenants/?after=x", "").expect(t, 422)
	p.ask(t, "POST", "localhost", "/api/auth/logout", "", "Authorization", bearer).expect(t, 204)
	p.ask(t, "GET", "localhost", "/api/auth/me", "", "Authorization", bearer).expect(t, 401)
	p.ask(t, "POST", "localhost", "/api/auth/login", `{"email": "`+ada+`", "password": "x", "code": "1"}`,
		"Content-Type", jsonType).
		expect(t, 401)

	// The administrator can log in on the school's own host only.
	login := `{"email": "me@elmpark.example", "password": "correct horse"}`
	p.ask(t, "POST", "schoola.localhost", "/api/auth/login", login, "Content-Type", jsonType).expect(t, 401)
	a = p.ask(t, "POST", "elmpark.localhost", "/api/auth/login", login, "Content-Type", jsonType).expect(t, 200)
	a.json(t, &session)
	mine := "Bearer " + session.Token
	p.ask(t, "GET", "elmpark.localhost", "/api/students/", "", "Authorization", mine).expect(t, 200, `"students":[]`)
	p.ask(t, "GET", "elmpark.localhost", "/api/students/", "").expect(t, 401)
	for _, host := range []string{"schoola.localhost", "localhost"} {
		path := map[string]string{"localhost": "/api/auth/me"}[host]
		if path == "" {
			path = "/api/students/"
		}
		a := p.ask(t, "GET", host, path, "", "Authorization", mine)
		if a.status != 401 {
			assert.Equal(t, 403, a.status, "a session of elmpark at %s: %d %s", host, a.status, a.body)
		}
	}
	p.ask(t, "GET", "elmpark.localhost", "/api/students/", "", "Authorization", bearer).expect(t, 403)
	eventually(t, "the foreign session is logged", func() (found bool) {
		require.NoError(t, db.Pool.QueryRow(t.Context(), `select count(*) = 2 from public.audit_log
			where action = 'login_failed' and details->>'reason' = 'a session of another site'
				and slug in ('schoola', 'elmpark')`).Scan(&found))
		return found
	})
	// Requests of programs are logged with the user of their session.
	p.ask(t, "POST", "elmpark.localhost", "/api/classes/", `{"name": "7", "section": "b", "year": 2026}`,
		"Content-Type", jsonType, "Authorization", mine).
		expect(t, 201)
	eventually(t, "the new class is logged", func() (found bool) {
		require.NoError(t, db.Pool.QueryRow(t.Context(), `select exists (select from public.audit_log
			where action = 'schema_access' and slug = 'elmpark' and actor = 'user 1'
				and details->>'path' = '/api/classes/')`).Scan(&found))
		return found
	})
	for range 12 {
		signUp(`{}`)
	}
	signUp(`{"name": "A", "slug": "late", "email": "me@elmpark.example", "password": "correct horse"}`).expect(t, 429)
	require.NoError(t, p.stop())
}

// A user sees only what the role allows, on the pages and in the API.
func TestThePagesOfASchool(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	page := func(host, path, cookie string) answer {
		return p.ask(t, "GET", host, path, "", "Cookie", cookie, "Accept", "text/html")
	}
	page("schoola.localhost", "/", "").expect(t, 200, "Ashgrove Academy", "Year 7")
	page("schoola.localhost", "/students?q=okafor", "").expect(t, 200, "Amara Okafor")
	page("schoolb.localhost", "/students?q=amara+okafor", "").expect(t, 200, "No students found")
	page("schoola.localhost", "/students?q=%25%27%3B--&class=x&after=-1", "").expect(t, 200)
	page("schoola.localhost", "/students/1", "").expect(t, 200, "visible after login")
	page("schoola.localhost", "/students/99999", "").expect(t, 404)
	page("schoola.localhost", "/students/x", "").expect(t, 404)
	page("schoola.localhost", "/classes/1", "").expect(t, 200, "Teachers")
	page("schoola.localhost", "/fees", "").expect(t, 403)
	page("schoola.localhost", "/nowhere", "").expect(t, 404, "<h1>")
	page("nosuch.localhost", "/", "").expect(t, 404, "There is no site at this host")

	for _, host := range []string{"schoola.localhost", "localhost", "nosuch.localhost"} {
		p.ask(t, "GET", host, "/static/style.css", "").expect(t, 200, "--accent")
	}

	logIn := func(slug, role string) string {
		address := role + "@" + slug + ".example"
		return p.post(t, slug+".localhost", "/login", "", "email", address, "password", k.phrase(address)).
			expect(t, 303).
			cookie("session")
	}
	p.post(t, "schoola.localhost", "/login", "", "email", "admin@schoola.example", "password", "wrong").
		expect(t, 401, "is wrong")
	parent, admin := logIn("schoola", "parent"), logIn("schoola", "admin")
	page("schoola.localhost", "/students/1", parent).expect(t, 200, "Owed")
	page("schoola.localhost", "/students/2", parent).expect(t, 404)
	page("schoola.localhost", "/import", parent).expect(t, 403)
	page("schoola.localhost", "/fees?status=overdue", admin).expect(t, 200, "overdue")
	a := page("schoolb.localhost", "/students", admin)
	assert.Equal(t, 403, a.status, "a session of school A at school B")

	const file = "--b\r\nContent-Disposition: form-data; name=\"file\"; " +
		"filename=\"s.csv\"\r\n\r\nadmission_number,first_name,last_name\r\n%s\r\n--b--\r\n"
	send := func(cookie, rows string) answer {
		return p.ask(
			t,
			"POST",
			"schoola.localhost",
			"/import",
			strings.Replace(file, "%s", rows, 1),
			"Content-Type",
			"multipart/form-data; boundary=b",
			"Origin",
			"http://schoola.localhost",
			"Cookie",
			cookie,
			"Accept",
			"text/html",
		)
	}
	send(parent, "X-1,A,B").expect(t, 403)
	send(admin, "X-1,A,B\r\nX-1,,C").expect(t, 422, "Nothing was imported", "is empty")
	send(admin, "X-1,Ida,Quist").expect(t, 303)
	page("schoola.localhost", "/students?q=X-1", "").expect(t, 200, "Ida Quist")
	p.post(t, "schoola.localhost", "/import", admin, "file", "x").expect(t, 415)
	p.post(t, "schoola.localhost", "/logout", admin).expect(t, 303)
	a = page("schoola.localhost", "/fees", admin)
	assert.Equal(t, 303, a.status, "a session that is over")
	var named bool
	eventually(t, "who has imported is logged", func() bool {
		require.NoError(
			t,
			db.Pool.QueryRow(t.Context(),
				`select exists (select from public.audit_log where action = 'schema_access' and slug = 'schoola'
			and actor = 'admin@schoola.example' and details->>'path' = '/import' and details->>'status' = '303')`).
				Scan(&named),
		)
		return named
	})
	p.ask(t, "GET", "localhost", "/readyz", "").expect(t, 200, "ok")
	require.NoError(t, p.stop())
}
