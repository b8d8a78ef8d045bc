package browsertest_test

import (
	"testing"
	"time"
)

const (
	ada   = "ada@platform.example"
	grace = "grace@platform.example"
)

// logIn lets a member of the staff in, with a code that was not used yet.
func (b *browser) logIn(p *program, email string) {
	b.t.Helper()
	b.open(p.url("localhost", "/admin/"))
	b.fill("email", email, "password", p.password("console", email), "code", p.code(email))
	b.press("Log in")
	b.sees(email)
}

// code is a one-time code of somebody that was not used before: each is good once, and there is a new one every 30 seconds.
func (p *program) code(email string) string {
	p.t.Helper()
	for {
		if code := p.run("code", email); p.used[email] != code {
			p.used[email] = code
			return code
		}
		time.Sleep(time.Second)
	}
}

func TestASchoolFromItsMakingToItsEnd(t *testing.T) {
	t.Parallel()
	chromium(t)
	p := start(t)
	b := newBrowser(t)
	b.open(p.url("localhost", "/admin/"))
	b.shot("01-login")
	b.logIn(p, ada)
	b.shot("02-overview")
	b.link("Schools")
	b.shot("03-schools")
	b.link("School A")
	b.shot("04-school")
	b.link("Migrations")
	b.shot("05-migrations")
	b.link("Access log")
	b.shot("06-log")
	b.expectNoComplaints()
}
