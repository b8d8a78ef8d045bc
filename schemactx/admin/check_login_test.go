package admin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// The first finding says which login is used. No finding advises to change the owner or an
// administrator.
func TestCheckReportsAWrongLoginFirst(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, f.named("create role {prefix}_boss login createrole createdb password 'boss'; create schema extensions; "+
		"grant usage on schema extensions to public; create table public.boss (); "+
		"alter table public.boss owner to {prefix}_boss; "+
		"alter database {db} owner to {prefix}_boss; grant create on schema extensions to {prefix}_boss"))
	for _, level := range []schemactx.Level{schemactx.Roles, schemactx.PathOnly} {
		for url, want := range map[string]string{
			f.pg.URL: "you are logged in as a superuser, ",
			f.pg.URLAs(f.roles.Owner(), ownerPassword):   "you are logged in as the owner, " + f.roles.Owner(),
			f.pg.URLAs(f.roles.Prefix()+"_boss", "boss"): "you are logged in as an administrator, " + f.roles.Prefix() + "_boss",
		} {
			report, err := admin.Check(t.Context(), openPool(t, url, 1), admin.CheckConfig{
				Level: level, Roles: f.roles, ExtraSearchPath: []string{"extensions"},
			})
			require.NoError(t, err)
			require.NotEmpty(t, report.Findings)
			first := report.Findings[0]
			assert.Equal(t, admin.CodeLoginKind, first.Code)
			assert.Equal(t, admin.Refuse, first.Severity)
			assert.True(t, strings.HasPrefix(first.Message, want), first.Message)
			assert.Contains(t, first.Message, "serve with the login "+f.roles.Runtime())
			for _, finding := range report.Findings[1:] {
				assert.NotContains(t, finding.Message, first.Object, "advice that changes the login")
			}
		}
	}
}

func TestCheckWhereSetupHasNotRun(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	report, err := admin.Check(t.Context(), pg.Pool, admin.CheckConfig{})
	require.NoError(t, err)
	runtime := schemactx.DefaultRoleNames(pg.Name).Runtime()
	require.NotEmpty(t, report.Findings)
	assert.Contains(t, report.Findings[0].Message, "run Setup, which makes the login "+runtime)
}

func TestACheckErrorHasALineForEachFinding(t *testing.T) {
	t.Parallel()
	a, b := admin.Finding{
		Severity: admin.Refuse,
		Message:  "first",
	}, admin.Finding{
		Severity: admin.Refuse,
		Message:  "second",
	}
	assert.Equal(
		t,
		admin.ErrUnsafe.Error()+":\n  first\n  second",
		admin.CheckReport{Findings: []admin.Finding{a, b}}.Err().Error(),
	)
	assert.Equal(t, admin.ErrUnsafe.Error()+": first", admin.CheckReport{Findings: []admin.Finding{a}}.Err().Error())
}
