package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/tenancy"
)

// The login page does not read the body of a GET. Such a body could fill the memory and the disk,
// and the page needs no session.
func TestHandlersBeforeTheLoginReadNoBody(t *testing.T) {
	t.Parallel()
	p, _ := startOn(t)
	const form = "--b\r\nContent-Disposition: form-data; name=\"next\"\r\n\r\n/admin/of-the-body\r\n--b--\r\n"
	a := p.ask(t, "GET", "localhost", "/admin/login", form, "Content-Type", "multipart/form-data; boundary=b").
		expect(t, 200)
	assert.NotContains(t, a.body, "of-the-body", "the handler has read the body of a GET")
	p.ask(t, "GET", "localhost", "/admin/login?next=/admin/log", "").expect(t, 200, `value="/admin/log"`)
	require.NoError(t, p.stop())
}

// An invalid address is not logged, because it may be the password. The access log is kept for a
// year and has other readers.
func TestInvalidAddressesAreNotInTheAccessLog(t *testing.T) {
	t.Parallel()
	p, db := startOn(t)
	for _, email := range []string{"correct horse battery", "eve@platform.example"} {
		p.post(t, "localhost", "/admin/login", "", "email", email, "password", "x", "code", "000000").expect(t, 401)
	}
	var actors []string
	eventually(t, "the log", func() bool {
		require.NoError(
			t,
			db.Pool.QueryRow(t.Context(),
				`select array_agg(actor order by actor) from public.audit_log where action = 'login_failed'`).
				Scan(&actors),
		)
		return len(actors) == 2
	})
	if assert.Empty(t, actors[0], "the log has %q", actors) {
		assert.Equal(t, "eve@platform.example", actors[1], "the log has %q", actors)
	}
	require.NoError(t, p.stop())
}

// Password guesses from many clients keep a staff member from logging in for a while, but not from
// using a running session.
func TestLoginAttemptsDoNotDelayLoggedInStaff(t *testing.T) {
	t.Parallel()
	program, db, dir := startIn(t)
	k, err := loginKey(dir)
	require.NoError(t, err)
	require.NoError(t,
		withPlatform(t.Context(), &options{databaseURL: db.URL, dataDir: dir}, io.Discard, func(p *platform) error {
			ctx := tenancy.NewPublicContext(t.Context())
			guess := staff.Credentials{Email: grace, Password: "a guess", Code: "123456"}
			for i := range 12 {
				guess.Caller = fmt.Sprint("192.0.2.", i)
				_, _, err = p.staff.LogIn(ctx, guess)
			}
			assert.ErrorIs(t, err, staff.ErrThrottled, "guesses are not bounded")
			assert.NoError(t, p.staff.CheckCode(ctx, grace, k.codeAt(t, grace, 0)), "the code of a logged-in member")
			for range 12 {
				_ = p.staff.CheckCode(ctx, grace, "000000")
			}
			assert.ErrorIs(t, p.staff.CheckCode(ctx, grace, k.codeAt(t, grace, 30)), staff.ErrThrottled,
				"guesses at codes are not bounded")
			return nil
		}))
	require.NoError(t, program.stop())
}

// A disabled member cannot log in, and gets no session that would become valid again later.
func TestDisabledStaffCannotLogIn(t *testing.T) {
	t.Parallel()
	p, db, k := startWithKey(t)
	_, err := db.Pool.Exec(t.Context(), "update public.platform_users set disabled_at = now() where email = $1", ada)
	require.NoError(t, err)
	a := p.post(t, "localhost", "/admin/login", "", "email", ada, "password", k.phrase(ada), "code", k.codeAt(t, ada, 0))
	assert.Equal(t, 401, a.status)
	assert.Empty(t, a.cookie("staff"), "the cookie of a disabled member")
	var sessions int
	require.NoError(t, db.Pool.QueryRow(t.Context(), "select count(*) from public.staff_sessions").Scan(&sessions))
	assert.Equal(t, 0, sessions, "there are %d", sessions)
	require.NoError(t, p.stop())
}

// Another host of the same domain can set cookies that come before the valid one. They do not lock
// the user out.
func TestCookiesOfOtherHostsDoNotPreventLogin(t *testing.T) {
	t.Parallel()
	p, _, k := startWithKey(t)
	cookie := p.logIn(t, k, ada, 0)
	tossed := strings.Repeat("staff=tossed; ", 50)
	p.ask(t, "GET", "localhost", "/admin/", "", "Cookie", tossed+cookie).expect(t, 200, "Overview")

	asked := p.post(t, "localhost", "/admin/tenants/schoolc/drop", cookie, "slug", "schoolc").expect(t, 303)
	path := asked.header.Get("Location")
	p.ask(t, "GET", "localhost", path, "", "Cookie", "flash=tossed; "+cookie+"; "+asked.cookie("flash")).
		expect(t, 200, `<code id="secret">`)

	p.post(t, "localhost", "/admin/logout", tossed+cookie).expect(t, 303)
	p.ask(t, "GET", "localhost", "/admin/tenants/", "", "Cookie", cookie).expect(t, 303)
	require.NoError(t, p.stop())
}

// The command that adds an administrator refuses an address that a user has: a parent stays a
// parent.
func TestTakenAddressDoesNotBecomeAnAdministrator(t *testing.T) {
	t.Parallel()
	p, db, dir := startIn(t)
	admin := func(address string) (string, error) {
		root, out := newCommand(), new(strings.Builder)
		root.SetArgs([]string{"admin", "schoola", address, "--database-url", db.URL, "--data-dir", dir})
		root.SetIn(strings.NewReader("correct horse\n"))
		root.SetOut(out)
		root.SetErr(io.Discard)
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	said, err := admin("head@schoola.example")
	assert.NoError(t, err, "%q", said)
	assert.Equal(t, "head@schoola.example administers schoola.\n", said)
	for _, address := range []string{"head@schoola.example", "Parent@SchoolA.example"} {
		said, err := admin(address)
		assert.ErrorContains(t, err, "email is taken by another user", "%s: %q", address, said)
		assert.Empty(t, said, address)
	}
	p.ask(t, "POST", "schoola.localhost", "/api/auth/login",
		`{"email": "parent@schoola.example", "password": "correct horse"}`, "Content-Type", jsonType).
		expect(t, 401)
	require.NoError(t, p.stop())
}
