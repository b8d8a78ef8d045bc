package erp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

const password = "correct horse battery"

// as returns f's handler with the session of a user with the role, at the requested school. It adds
// and logs in the users itself.
func (f *fixture) as(t testing.TB, role erp.Role) http.Handler {
	t.Helper()
	tokens := map[string]string{}
	for _, school := range []*tenancytest.Tenant{f.a, f.b} {
		f.addUser(t, school, role)
		tokens[school.Host] = f.token(school, role)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		r.Header.Set("Authorization", "Bearer "+tokens[host])
		f.handler.ServeHTTP(w, r)
	})
}

// addUser adds the user role@example.com with a password to a school.
func (f *fixture) addUser(t testing.TB, school *tenancytest.Tenant, role erp.Role) erp.User {
	t.Helper()
	ctx := erp.NewContext(school.Context(), erp.System())
	users := erp.NewUsers(f.db)
	user, err := users.Create(ctx, erp.NewUser{Email: string(role) + "@example.com", Name: string(role), Role: role})
	require.NoError(t, err)
	require.NoError(t, users.SetPassword(ctx, user.ID, password))
	return user
}

// token logs in role@example.com and returns the token, or "" if the login fails.
func (f *fixture) token(school *tenancytest.Tenant, role erp.Role) string {
	var answer struct {
		Token string `json:"token"`
	}
	w := f.logIn(school, string(role)+"@example.com", password)
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // an invalid token is refused
	return answer.Token
}

func (f *fixture) logIn(school *tenancytest.Tenant, email, password string) *httptest.ResponseRecorder {
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		panic(err)
	}
	return request(f.handler, "POST", school.Host, "/api/auth/login", string(body))
}
