package erp_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// matrix has the expected answer of each endpoint for each role, in the school of populate.
var matrix = slices.Concat(authMatrix, userMatrix, classMatrix, teacherMatrix, parentMatrix, studentMatrix,
	structureMatrix, feeMatrix, paymentMatrix, conflictMatrix)

// ask is one request and its expected answers.
type ask struct {
	request string // method and path
	body    string

	// want has a column for each of roles: a status, or the ids of a list that is answered with 200,
	// in order, as "1,2" or "none".
	want string
}

// roles are the columns of a matrix.
var roles = []erp.Role{erp.RoleAdmin, erp.RoleTeacher, erp.RoleParent, erp.RoleStudent, erp.RoleVisitor}

// refusedClient is a client that is refused at every endpoint.
type refusedClient struct {
	name   string
	token  func(w *world) string // "" to send none
	status int
}

var refusedClients = []refusedClient{
	{"anonymous", func(*world) string { return "" }, 401},
	{"token of the other school", func(w *world) string { return w.foreign }, 403},
	{"disabled user", func(w *world) string { return w.disabled }, 401},
	{"logged out", func(w *world) string { return w.loggedOut }, 401},
	{"other role since", func(w *world) string { return w.promoted }, 401},
	{"not a token", func(*world) string { return "erp.1.0.admin" }, 401},
}

// world is a school with a row of each kind, and the session tokens of its users.
type world struct {
	*fixture
	tokens                                 map[erp.Role]string
	foreign, disabled, loggedOut, promoted string
}

func TestEveryEndpointForEveryRole(t *testing.T) {
	t.Parallel()
	w := populate(t)
	for _, a := range matrix {
		want := strings.Fields(a.want)
		require.Len(t, want, len(roles), "%s: %d columns", a.request, len(want))
		for i, role := range roles {
			got := w.ask(t, a, w.tokens[role], role == erp.RoleVisitor)
			assert.Equal(t, want[i], got, "%s as %s", a.request, role)
		}
		if open[a.request] || want[0] == "400" { // invalid input is refused before the session is checked
			continue
		}
		for _, s := range refusedClients {
			got := w.ask(t, a, s.token(w), false)
			assert.Equal(t, strconv.Itoa(s.status), got, "%s by %s: %s, want %d", a.request, s.name, got, s.status)
		}
	}
}

// open has the requests that need no session.
var open = map[string]bool{"GET /api/openapi.json": true, "POST /api/auth/login": true, "POST /api/auth/logout": true}

// Every route must be in the matrix.
func TestTheMatrixIsComplete(t *testing.T) {
	t.Parallel()
	m := erp.New(&schemactx.DB{}, erp.HandlerConfig{Signer: newSigner(t)})
	m.Register(http.NewServeMux())
	asked := map[string]bool{}
	for _, a := range matrix {
		method, path, _ := strings.Cut(a.request, " ")
		path, _, _ = strings.Cut(path, "?")
		parts := strings.Split(path, "/")
		for i, part := range parts {
			if _, err := strconv.Atoi(part); err == nil {
				parts[i] = "{id}"
			}
		}
		asked[method+" "+strings.TrimSuffix(strings.Join(parts, "/"), "/")] = true
	}
	for _, route := range m.Routes() {
		assert.True(t, asked[route.Method+" "+route.Path], "%s %s is not in the matrix", route.Method, route.Path)
	}
}

// ask sends a request in a transaction that is rolled back, so that every request sees the same
// school.
func (w *world) ask(t *testing.T, a ask, token string, visitors bool) string {
	t.Helper()
	ctx := w.a.Context()
	tx, err := w.db.Begin(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(ctx)) }()
	cfg := erp.HandlerConfig{Signer: w.signer}
	if visitors {
		cfg.Anonymous = func(*http.Request) (erp.Viewer, bool) { return erp.Visitor(), true }
	}
	method, path, _ := strings.Cut(a.request, " ")
	headers := []string{"If-Match: *", "Idempotency-Key: new"}
	if token != "" {
		headers = append(headers, "Authorization: Bearer "+token)
	}
	if strings.Contains(path, "/import") {
		headers = append(headers, "Content-Type: text/csv")
	}
	return outcome(path, request(w.serve(erp.Handler(tx, cfg)), method, w.a.Host, path, a.body, headers...))
}

// outcome returns the answer in the form of the matrix.
func outcome(path string, w *httptest.ResponseRecorder) string {
	path, _, _ = strings.Cut(path, "?")
	var body map[string]json.RawMessage
	var rows []struct {
		ID int64 `json:"id"`
	}
	noun := strings.ReplaceAll(strings.Trim(strings.TrimPrefix(path, "/api/"), "/"), "-", "_")
	if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &body) != nil ||
		json.Unmarshal(body[noun], &rows) != nil {
		return strconv.Itoa(w.Code)
	}
	ids := make([]string, 0, len(rows))
	for _, row := range rows {
		ids = append(ids, fmt.Sprint(row.ID))
	}
	return cmp.Or(strings.Join(ids, ","), "none")
}

// populate fills the first school: two classes with students and an empty one; a teacher and two
// students in the first class; one of them with a parent who has no other child; and rows that are
// unrelated to all of them.
func populate(t *testing.T) *world {
	t.Helper()
	w := &world{fixture: setup(t), tokens: map[erp.Role]string{}}
	users := map[erp.Role]int64{}
	for _, role := range roles[1:4] { // the admins exist
		users[role] = w.addUser(t, w.a, role).ID
	}
	for _, role := range roles[:4] {
		w.tokens[role] = w.token(w.a, role)
	}
	w.foreign = w.token(w.b, erp.RoleAdmin)
	w.disabled = w.gone(t, "update users set disabled_at = now() where id = $1")
	w.promoted = w.gone(t, "update users set role = 'teacher' where id = $1")
	w.loggedOut = w.gone(t, "update users set name = name where id = $1")
	out := request(w.handler, "POST", w.a.Host, "/api/auth/logout", "", "Authorization: Bearer "+w.loggedOut)
	require.Equal(t, http.StatusNoContent, out.Code, "log out: %d %s", out.Code, out.Body)
	for _, sql := range []string{
		"insert into users (email, name, role) values ('spare@example.com', 'Spare', 'parent')",
		"insert into classes (name, section, year) values ('1', 'a', 2026), ('2', '', 2026), ('empty', '', 2020)",
		"insert into teachers (name, user_id) values ('Tara Teacher', @teacher), ('Theo Teacher', null)",
		"insert into class_teachers values (1, 1), (2, 2)",
		`insert into students (admission_number, first_name, last_name, class_id, user_id) values
			('S1', 'Stu', 'Dent', 1, @student), ('S2', 'Sam', 'Dent', 1, null), ('S3', 'Sue', 'Other', 2, null)`,
		"insert into parents (name, user_id) values ('Pat Parent', @parent), ('Paul Parent', null)",
		"insert into student_parents values (1, 1, 'mother'), (3, 2, 'father')",
	} {
		for role, id := range users {
			sql = strings.ReplaceAll(sql, "@"+string(role), fmt.Sprint(id))
		}
		exec(t, w.fixture, w.a, sql)
	}
	w.addFees(t)
	return w
}

// gone logs in an admin and then changes the user with sql.
func (w *world) gone(t *testing.T, sql string) (token string) {
	t.Helper()
	const name erp.Role = "gone"
	ctx := erp.NewContext(w.a.Context(), erp.System())
	users := erp.NewUsers(w.db)
	user, err := users.Create(ctx, erp.NewUser{Email: string(name) + "@example.com", Name: "Gone", Role: erp.RoleAdmin})
	require.NoError(t, err)
	require.NoError(t, users.SetPassword(ctx, user.ID, password))
	token = w.token(w.a, name)
	exec(t, w.fixture, w.a, sql, user.ID)
	exec(t, w.fixture, w.a, "update users set email = id || '@example.com' where id = $1", user.ID) // for the next call
	return token
}

// exec runs SQL in a school without the module.
func exec(t *testing.T, f *fixture, school *tenancytest.Tenant, sql string, args ...any) {
	t.Helper()
	_, err := f.db.Exec(school.Context(), sql, args...)
	require.NoError(t, err)
}
