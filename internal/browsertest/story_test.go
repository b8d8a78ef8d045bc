package browsertest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	ada   = "ada@platform.example"
	grace = "grace@platform.example"
)

// logIn logs in a member of the staff with an unused code.
func (b *browser) logIn(p *program, email string) {
	b.t.Helper()
	b.open(p.url("localhost", "/admin/"))
	b.fill("email", email, "password", p.password("console", email), "code", p.code(email))
	b.press("Log in")
	b.sees(email, "Overview")
}

// code returns a one-time code of a member of the staff that was not used before. Each code is
// valid once, and there is a new one every 30 seconds.
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

// students writes a CSV file with n students and returns its path.
func students(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("admission_number,first_name,last_name,date_of_birth\n")
	for i := range n {
		fmt.Fprintf(&b, "D-%03d,Robert'); DROP TABLE students;--,Tables %d,2014-05-%02d\n", i+1, i+1, i%28+1)
	}
	path := filepath.Join(t.TempDir(), "students.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// Two members of the staff and the school's administrator create, use and drop a school.
func TestCreateUseAndDeleteASchool(t *testing.T) {
	t.Parallel()
	chromium(t)
	p := start(t)

	b := newBrowser(t)
	b.open(p.url("localhost", "/admin/"))
	b.shot("01-login")
	b.fill("email", ada, "password", "a guess", "code", "000000")
	b.press("Log in")
	b.sees("is wrong")
	b.logIn(p, ada)
	b.shot("02-overview")

	b.link("New school")
	b.fill("name", "Dunmore School", "slug", "Not A Slug", "admin", "head@dunmore.example", "password", "a long password")
	b.press("Create school")
	b.sees("The school was not created", "lower-case letters")
	b.shot("03-refused")
	b.fill("slug", "dunmore", "password", "a long password")
	b.press("Create school")
	b.sees("Dunmore School is created", "active")
	b.shot("04-school")

	head := newBrowser(t)
	head.open(p.url("dunmore.localhost", "/"))
	head.sees("Log in", "Dunmore School") // visitors cannot see it without a login
	head.fill("email", "head@dunmore.example", "password", "a long password")
	head.press("Log in")
	head.sees("There are no students yet")
	head.shot("05-empty")
	head.link("Import")
	head.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{students(t, 30)}))
	head.press("Import students")
	head.sees("Imported 30 students", "DROP TABLE students;-- Tables 7", "D-001")
	head.shot("06-imported")

	head.open(p.url("schoola.localhost", "/students"))
	head.sees("Ashgrove Academy", "A-0001", "Amara Okafor")
	assert.NotContains(t, head.text("body"), "Tables", "a student of one school is at another")
	head.shot("07-another-school")
	head.open(p.url("dunmore.localhost", "/students?q=okafor"))
	head.sees("No students found")

	b.open(p.url("localhost", "/admin/tenants/dunmore"))
	b.link("Delete school…")
	b.shot("08-before-a-drop")
	b.fill("slug", "dunmore")
	b.press("Request deletion")
	token := b.text("#secret")
	request := strings.TrimSpace(b.where())
	b.sees("not yet approved", "about", "dunmore.localhost")
	b.shot("09-asked")

	other := newBrowser(t)
	other.logIn(p, grace)
	other.sees("Deletions in progress", "needs the approval of a second person")
	other.shot("10-the-second-person")
	other.link("Dunmore School")
	other.fill("code", p.code(grace))
	other.press("Approve the deletion of Dunmore School")
	other.sees("Approved by", grace)
	other.shot("11-approved")

	b.open(p.url("localhost", "/admin/tenants/dunmore"))
	b.press("Back up now")
	b.sees("rows, verified")
	b.shot("12-backed-up")
	b.open(request)
	b.fill("token", token, "code", p.code(ada))
	b.press("Delete Dunmore School permanently")
	b.sees("Dunmore School is deleted")
	b.shot("13-dropped")
	head.open(p.url("dunmore.localhost", "/"))
	head.sees("There is no site at this host")
	head.shot("14-gone")
	b.open(p.url("localhost", "/admin/log?action=drop_done"))
	b.sees("drop_done", ada)
	b.shot("15-log")
	b.press("Log out")
	b.open(p.url("localhost", "/admin/"))
	b.sees("One-time code")
	for _, b := range []*browser{b, head, other} {
		b.expectNoComplaints()
	}
}

// The screenshots of the remaining pages.
func TestThePagesOfTheConsoleAndTheSites(t *testing.T) {
	t.Parallel()
	chromium(t)
	p := start(t)
	b := newBrowser(t)
	b.open(p.url("localhost", "/"))
	b.sees("Ashgrove Academy", "Brookfield College", "Cedar Hill School")
	b.shot("20-home")
	b.fill("name", "Elm Park", "slug", "elmpark", "email", "me@elmpark.example", "password", "short")
	b.press("Sign up")
	b.sees("is shorter than 8 characters")
	b.fill("password", "long enough")
	b.press("Sign up")
	b.sees("Elm Park is ready", "elmpark.localhost")
	b.shot("21-signed-up")

	b.logIn(p, ada)
	for _, page := range []struct{ path, sees, name string }{
		{"/admin/tenants/", "Elm Park", "22-schools"},
		{"/admin/tenants/?q=cedar", "Cedar Hill School", "23-search"},
		{"/admin/tenants/schoola", "Ashgrove Academy", "24-school"},
		{"/admin/tenants/schoola/drift", "The schema matches its migrations", "25-drift"},
		{"/admin/tenants/schoola/verify", "The log is complete and unchanged", "26-verify"},
		{"/admin/migrations", "Check all schemas", "27-migrations"},
		{"/admin/migrations?drift=1", "schemas match their migrations", "28-fleet-drift"},
		{"/admin/log?tenant=schoola", "create", "29-log"},
		{"/admin/tenants/nosuch", "This school does not exist", "30-missing"},
	} {
		b.open(p.url("localhost", page.path))
		b.sees(page.sees)
		b.shot(page.name)
	}

	b.open(p.url("localhost", "/admin/tenants/schoolc"))
	b.fill("host", "cedar.localhost")
	b.press("Add domain")
	b.sees("cedar.localhost leads to the school")
	b.press("Make primary")
	b.sees("cedar.localhost is the primary domain")
	b.fill("suspend-reason", "The bill was not paid.")
	b.press("Suspend")
	b.sees("The school is suspended.", "The bill was not paid.")
	b.shot("31-suspended")
	visitor := newBrowser(t)
	visitor.open(p.url("schoolc.localhost", "/"))
	visitor.sees("Cedar Hill School", "The bill was not paid.")
	visitor.shot("32-suspended-school")
	b.press("Activate")
	b.sees("The school is active again.")

	visitor.open(p.url("schoolb.localhost", "/"))
	visitor.sees("Brookfield College", "Year 12 B")
	visitor.shot("33-school")
	visitor.open(p.url("schoolb.localhost", "/students/1"))
	visitor.sees("Mateo Fernández", "Parents and fees are visible after login")
	visitor.open(p.url("schoolb.localhost", "/login"))
	visitor.fill("email", "parent@schoolb.example", "password", p.password("schoolb", "parent@schoolb.example"))
	visitor.press("Log in")
	visitor.link("Students")
	visitor.sees("Mateo Fernández")
	visitor.open(p.url("schoolb.localhost", "/students/1"))
	visitor.sees("Owed", "EUR")
	visitor.shot("34-own-child")
	visitor.open(p.url("schoolb.localhost", "/students/2"))
	visitor.sees("you may not see it")

	admin := newBrowser(t)
	admin.open(p.url("schoola.localhost", "/login"))
	admin.fill("email", "admin@schoola.example", "password", p.password("schoola", "admin@schoola.example"))
	admin.press("Log in")
	admin.link("Fees")
	admin.sees("Tuition", "GBP")
	admin.shot("35-fees")
	admin.open(p.url("schoola.localhost", "/classes/1"))
	admin.shot("36-class")
	admin.do(chromedp.EmulateViewport(390, 844))
	admin.open(p.url("schoola.localhost", "/students"))
	admin.shot("37-narrow")
	b.dark()
	b.open(p.url("localhost", "/admin/tenants/schoola"))
	b.shot("38-dark")
	for _, b := range []*browser{b, visitor, admin} {
		b.expectNoComplaints()
	}
}
