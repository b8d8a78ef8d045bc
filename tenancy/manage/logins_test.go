package manage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// With a login for each tenant, the session is logged in as the tenant's role and can take no
// other.
func TestAShellWithLoginsCannotTakeAnotherRole(t *testing.T) {
	t.Parallel()
	needPsql(t)
	p, _ := setup(t)
	p.secret = strings.Repeat("s", 32)
	p.ok(t, "tenant", "create", "--subdomain", "a")
	p.ok(t, "tenant", "create", "--subdomain", "b")
	roles, err := schemactx.NewRoleNames(p.prefix)
	require.NoError(t, err)
	owner, err := pgxpool.New(context.Background(), p.owner)
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	for _, schema := range []string{"tenant_1", "tenant_2"} {
		password, err := schemactx.LoginPassword([]byte(p.secret), roles.Tenant(schema))
		require.NoError(t, err)
		_, err = admin.ProvisionLogin(t.Context(), owner, roles, schema, password)
		require.NoError(t, err)
	}
	got := p.ok(t, "shell", "a", "--", "-Atc", "select session_user", "-c", "select count(*) from students")
	assert.Equal(t, roles.Tenant("tenant_1")+"\n0\n", got)
	stderr := p.run(t, "set role "+roles.Tenant("tenant_2")+";", "shell", "a", "--", "-v", "ON_ERROR_STOP=1")
	assert.Equal(t, 3, stderr.code, "set role: exit code %d, %s", stderr.code, stderr.stderr)
	assert.Contains(t, stderr.stderr, "permission denied to set role", "set role: exit code %d", stderr.code)
	got = p.ok(t, "foreach", "--connect", "--", "psql", "-XAtc", "select session_user = current_user")
	if got != "a | t\nb | t\n" {
		assert.Equal(t, "b | t\na | t\n", got, "foreach")
	}
}

// Without logins for tenants, a user of psql can take another tenant's role, as the help says.
func TestAShellCanBeLeftAsItsHelpSays(t *testing.T) {
	t.Parallel()
	needPsql(t)
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "a")
	p.ok(t, "tenant", "create", "--subdomain", "b")
	roles, err := schemactx.NewRoleNames(p.prefix)
	require.NoError(t, err)
	out := p.run(
		t,
		"set role "+roles.Tenant("tenant_2")+"; select current_user; reset role; select current_user;",
		"shell",
		"a",
		"--",
		"-At",
	)
	want := roles.Tenant("tenant_2") + "\n"
	if assert.Equal(t, manage.CodeOK, out.code, "exit code %d, %q", out.code, out.stdout) &&
		assert.Contains(t, out.stdout, want, "exit code %d", out.code) {
		assert.True(t, strings.HasSuffix(out.stdout, roles.Tenant("tenant_1")+"\n"),
			"exit code %d, %q", out.code, out.stdout)
	}
	help := strings.Join(strings.Fields(p.ok(t, "shell", "--help")), " ")
	assert.Contains(t, help, "A user who wants to leave can do so if the program has no logins for tenants")
}
