package manage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// With a login for each tenant the session is the tenant's own, and there is nothing to leave it for.
func TestAShellWithLoginsCannotTakeAnotherRole(t *testing.T) {
	t.Parallel()
	needPsql(t)
	p, _ := setup(t)
	p.secret = strings.Repeat("s", 32)
	p.ok(t, "tenant", "create", "--subdomain", "a")
	p.ok(t, "tenant", "create", "--subdomain", "b")
	roles, err := schemactx.NewRoleNames(p.prefix)
	check(t, err)
	owner, err := pgxpool.New(context.Background(), p.owner)
	check(t, err)
	t.Cleanup(owner.Close)
	for _, schema := range []string{"tenant_1", "tenant_2"} {
		password, err := schemactx.LoginPassword([]byte(p.secret), roles.Tenant(schema))
		check(t, err)
		_, err = admin.ProvisionLogin(t.Context(), owner, roles, schema, password)
		check(t, err)
	}
	got := p.ok(t, "shell", "a", "--", "-Atc", "select session_user", "-c", "select count(*) from students")
	if got != roles.Tenant("tenant_1")+"\n0\n" {
		t.Errorf("got %q", got)
	}
	stderr := p.run(t, "set role "+roles.Tenant("tenant_2")+";", "shell", "a", "--", "-v", "ON_ERROR_STOP=1")
	if stderr.code != 3 || !strings.Contains(stderr.stderr, "permission denied to set role") {
		t.Errorf("set role: exit code %d, %s", stderr.code, stderr.stderr)
	}
	if got := p.ok(t, "foreach", "--connect", "--", "psql", "-XAtc", "select session_user = current_user"); got != "a | t\nb | t\n" && got != "b | t\na | t\n" {
		t.Errorf("foreach: %q", got)
	}
}

// Without such logins a user of psql can take another tenant's role: help says so, and this shows that it is true.
func TestWhatHelpSaysOfLeavingAShellIsTrue(t *testing.T) {
	t.Parallel()
	needPsql(t)
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "a")
	p.ok(t, "tenant", "create", "--subdomain", "b")
	roles, err := schemactx.NewRoleNames(p.prefix)
	check(t, err)
	out := p.run(t, "set role "+roles.Tenant("tenant_2")+"; select current_user; reset role; select current_user;", "shell", "a", "--", "-At")
	if want := roles.Tenant("tenant_2") + "\n"; out.code != manage.CodeOK || !strings.Contains(out.stdout, want) || !strings.HasSuffix(out.stdout, roles.Tenant("tenant_1")+"\n") {
		t.Errorf("exit code %d, %q", out.code, out.stdout)
	}
	help := strings.Join(strings.Fields(p.ok(t, "shell", "--help")), " ")
	if !strings.Contains(help, "Who wants to leave can") {
		t.Errorf("help does not say it: %s", help)
	}
}
