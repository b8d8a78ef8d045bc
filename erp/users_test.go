package erp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
)

func TestAddressesAreUniqueInAnyCase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for body, c := range map[string]struct {
		status int
		field  string
	}{
		`{"email": "New@Example.com", "name": "A", "role": "parent"}`:                            {201, ""},
		`{"email": "ADMIN@example.com", "name": "A", "role": "parent"}`:                          {409, "email"},
		`{"email": "no address", "name": "A", "role": "parent"}`:                                 {422, "email"},
		`{"email": "a@example.com\u0000", "name": "A", "role": "parent"}`:                        {422, "email"},
		`{"email": "a@example.com", "name": "", "role": "parent"}`:                               {422, "name"},
		`{"email": "a@example.com", "name": "A", "role": "visitor"}`:                             {422, "role"},
		`{"email": "a@example.com", "name": "A", "role": "owner"}`:                               {422, "role"},
		`{"email": "a@example.com", "name": "A", "role": "parent", "password_hash": "x"}`:        {400, "password_hash"},
		`{"email": "a@example.com", "name": "A", "role": "parent", "session_generation": 1}`:     {400, "session_generation"},
		`{"email": "b@example.com", "name": "Robert'); drop table users;--", "role": "student"}`: {201, ""},
	} {
		w := request(f.admin, "POST", f.a.Host, "/api/users/", body)
		if c.status == 201 {
			assert.Equal(t, 201, w.Code, "%s: %d %s", body, w.Code, w.Body)
			assert.NotContains(t, w.Body.String(), "hash", "%s: %d %s", body, w.Code, w.Body)
			continue
		}
		expectProblem(t, body, w, c.status, c.field)
	}
	var emails string
	require.NoError(t,
		f.db.QueryRow(f.a.Context(), "select string_agg(email, ' ' order by email) from users").Scan(&emails))
	assert.Equal(t, "admin@example.com b@example.com new@example.com", emails, "users are %s", emails)
}

// After a restore the database can assign an id again. A session of the earlier user with that id,
// which can be valid for hours, must not become one of the new user.
func TestSessionIsNotValidForALaterUserWithTheID(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := erp.NewContext(f.a.Context(), erp.System())
	users := erp.NewUsers(f.db)
	hash, err := erp.HashPassword(t.Context(), password)
	require.NoError(t, err)
	admit := func(email string) erp.User { // as a program that already has the hash
		user, err := users.Create(ctx, erp.NewUser{Email: email, Name: "A", Role: erp.RoleAdmin})
		require.NoError(t, err)
		exec(t, f, f.a, "update users set password_hash = $1 where id = $2", hash.Reveal(), user.ID)
		return user
	}
	first := admit("first@example.com")
	var session struct{ Token string }
	require.NoError(t, json.Unmarshal(f.logIn(f.a, first.Email, password).Body.Bytes(), &session))
	ask := func() int {
		return request(f.handler, "GET", f.a.Host, "/api/auth/me", "", "Authorization: Bearer "+session.Token).Code
	}
	require.Equal(t, 200, ask(), "before")
	require.NoError(t, users.Delete(ctx, first.ID, erp.AnyVersion))
	second := admit("second@example.com")
	exec(t, f, f.a, "update users set id = $1 where id = $2", first.ID, second.ID)
	assert.Equal(t, 401, ask(), "with the id of another user")
}

func TestEndedSessionIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	teacher := f.addUser(t, f.a, erp.RoleTeacher)
	user := erp.NewUser{Email: teacher.Email, Name: teacher.Name, Role: teacher.Role}
	disabled, promoted := user, user
	disabled.Disabled, promoted.Role = true, erp.RoleAdmin
	ctx := erp.NewContext(f.a.Context(), erp.System())
	users := erp.NewUsers(f.db)
	update := func(n erp.NewUser) func() error {
		return func() error {
			_, err := users.Update(ctx, teacher.ID, erp.AnyVersion, n)
			return err
		}
	}
	var token string
	ask := func() int {
		return request(f.handler, "GET", f.a.Host, "/api/students/", "", "Authorization: Bearer "+token).Code
	}
	for _, step := range []struct {
		name   string
		change func() error
		back   func() error // undoes the change, which does not restore the session
	}{
		{"disabled", update(disabled), update(user)},
		{"another role", update(promoted), update(user)},
		{
			"another password",
			func() error { return users.SetPassword(ctx, teacher.ID, password) },
			func() error { return nil },
		},
	} {
		token = f.token(f.a, erp.RoleTeacher)
		require.Equal(t, 200, ask(), "%s: before", step.name)
		require.NoError(t, step.change())
		status := ask()
		assert.Equal(t, 401, status, "%s: after %d", step.name, status)
		require.NoError(t, step.back())
		status = ask()
		assert.Equal(t, 401, status, "%s: taken back %d", step.name, status)
	}
	// Changes that do not concern sessions do not end them.
	token = f.token(f.a, erp.RoleTeacher)
	user.Name = "Renamed"
	require.NoError(t, update(user)())
	status := ask()
	assert.Equal(t, 200, status, "after another name %d", status)
	teachers, next, err := users.List(ctx, erp.UserFilter{Role: erp.RoleTeacher, Search: "reNAMed"}, erp.Page{})
	assert.NoError(t, err, "%+v %d", teachers, next)
	assert.Len(t, teachers, 1, next)
	assert.Zero(t, next)
}

// A school always has an active administrator.
func TestAdminsCannotDemoteThemselves(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, body := range []string{
		`{"email": "admin@example.com", "name": "A", "role": "teacher"}`,
		`{"email": "admin@example.com", "name": "A", "role": "admin", "disabled": true}`,
	} {
		expectProblem(t, body, request(f.admin, "PUT", f.a.Host, "/api/users/1", body, "If-Match: *"), 409, "id")
	}
	expectProblem(t, "delete", request(f.admin, "DELETE", f.a.Host, "/api/users/1", "", "If-Match: *"), 409, "id")
	w := request(f.admin, "PUT", f.a.Host, "/api/users/1",
		`{"email": "head@example.com", "name": "Head", "role": "admin"}`, "If-Match: *")
	assert.Equal(t, 200, w.Code, "another name: %d %s", w.Code, w.Body)
}

func TestTwoAdminsCannotDisableEachOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	system := erp.NewContext(f.a.Context(), erp.System())
	users := erp.NewUsers(f.db)
	for round := range 5 {
		var admins [2]erp.User
		var contexts [2]context.Context
		for i := range admins {
			var err error
			admins[i], err = users.Create(
				system,
				erp.NewUser{Email: fmt.Sprintf("%d.%d@example.com", round, i), Name: "A", Role: erp.RoleAdmin},
			)
			require.NoError(t, err)
			viewer, err := users.Viewer(system, admins[i].ID)
			require.NoError(t, err)
			contexts[i] = erp.NewContext(f.a.Context(), viewer)
		}
		var errs [2]error
		var both sync.WaitGroup
		for i := range admins {
			other := admins[1-i]
			both.Go(func() {
				if round%2 == 0 {
					errs[i] = users.Delete(contexts[i], other.ID, erp.AnyVersion)
					return
				}
				_, errs[i] = users.Update(contexts[i], other.ID, erp.AnyVersion,
					erp.NewUser{Email: other.Email, Name: "B", Role: erp.RoleTeacher})
			})
		}
		both.Wait()
		assert.NotEqual(t, errs[1] == nil, errs[0] == nil, "round %d: %v and %v", round, errs[0], errs[1])
	}
}

func TestStoresRefuseWithoutAViewer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := f.a.Context()
	calls := map[string]func() error{
		"list": func() error {
			_, _, err := erp.NewStudents(f.db).List(ctx, erp.StudentFilter{}, erp.Page{})
			return err
		},
		"get":    func() error { _, err := erp.NewClasses(f.db).Get(ctx, 1); return err },
		"create": func() error { _, err := erp.NewParents(f.db).Create(ctx, erp.NewParent{Name: "A"}); return err },
		"update": func() error {
			_, err := erp.NewTeachers(f.db).Update(ctx, 1, erp.AnyVersion, erp.NewTeacher{Name: "A"})
			return err
		},
		"delete":   func() error { return erp.NewUsers(f.db).Delete(ctx, 1, erp.AnyVersion) },
		"password": func() error { return erp.NewUsers(f.db).SetPassword(ctx, 1, password) },
		"me":       func() error { _, err := erp.NewMe(f.db).Get(ctx); return err },
		"logout":   func() error { return erp.NewMe(f.db).EndSessions(ctx) },
		"import": func() error {
			_, err := erp.NewStudents(f.db).Import(ctx, strings.NewReader(header), erp.ImportOptions{})
			return err
		},
	}
	for name, call := range calls {
		assert.ErrorIs(t, call(), erp.ErrNoViewer, name)
	}
	ctx = erp.NewContext(ctx, erp.Viewer{}) // no valid viewer, by mistake
	for name, call := range calls {
		err := call()
		assert.Error(t, err, "%s by a viewer without a role: %v", name, err)
		assert.False(t, !errors.Is(err, erp.ErrForbidden) && !errors.Is(err, erp.ErrNotFound),
			"%s by a viewer without a role: %v", name, err)
	}
}
