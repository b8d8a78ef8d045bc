package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// done returns the completed actions, as SQL without quotes.
func done(actions []admin.Action) []string {
	var what []string
	for _, a := range actions {
		if a.Outcome == admin.ActionDone {
			what = append(what, strings.ReplaceAll(a.What, `"`, ""))
		}
	}
	return what
}

// expectDone fails the test unless the completed actions begin with the texts of want, in that
// order.
func expectDone(t *testing.T, actions []admin.Action, want ...string) {
	t.Helper()
	got := done(actions)
	assert.True(t, slices.EqualFunc(got, want, strings.HasPrefix),
		"done:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
}

func TestSetupReportsWhatItDid(t *testing.T) {
	t.Parallel()
	f := setup(t)
	again := func(cfg admin.SetupConfig) admin.SetupReport {
		t.Helper()
		cfg.Roles = f.roles
		report, err := admin.Setup(t.Context(), f.pg.Pool, cfg)
		require.NoError(t, err)
		return report
	}
	report := again(admin.SetupConfig{})
	assert.False(t, report.Changed(), "a second run reports %v", report)
	assert.Equal(t, f.roles, report.Roles, "a second run reports %v", report)
	assert.GreaterOrEqual(t, len(report.Actions), 13, "a second run reports %v", report)
	report = again(admin.SetupConfig{OwnerPassword: ownerPassword, RuntimePassword: runtimePassword})
	expectDone(
		t,
		report.Actions,
		f.named("alter role {prefix}_runtime password"),
		f.named("alter role {prefix}_owner password"),
	)

	run(t, f, f.named(`grant create on schema public to public; revoke {prefix}_public from {prefix}_runtime;
		revoke grant option for connect on database `)+f.pg.Name+f.named(" from {prefix}_owner"))
	expectDone(t, again(admin.SetupConfig{}).Actions,
		f.named("grant {prefix}_public to {prefix}_runtime"),
		"revoke CREATE on schema public from public",
		"grant CONNECT on database "+f.pg.Name+f.named(" to {prefix}_owner with grant option"))
}

// The server only warns of these. Without reading the privileges back, the report would call the
// actions done.
func TestSetupReportsWhatIsImpossible(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, f.named(`alter schema public owner to current_user; grant create on schema public to public;
		grant {prefix}_public, {prefix}_runtime to {prefix}_owner with admin option`))
	report, err := admin.Setup(t.Context(), f.owner, admin.SetupConfig{Roles: f.roles})
	require.NoError(t, err)
	i := slices.IndexFunc(report.Actions, func(a admin.Action) bool {
		return a.What == "revoke CREATE on schema public from public" && a.Outcome == admin.ActionImpossible
	})
	if assert.GreaterOrEqual(t, i, 0, "got %v, want nothing but one that is impossible", report.Actions) {
		assert.False(t, report.Changed(), "got %v, want nothing but one that is impossible", report.Actions)
	}
}

func TestProvisionReportsWhatItDid(t *testing.T) {
	t.Parallel()
	f := setup(t)
	again := func() admin.ProvisionReport {
		t.Helper()
		report, err := admin.Provision(t.Context(), f.owner, f.roles, "tenant_c")
		require.NoError(t, err)
		return report
	}
	report := again()
	if assert.Equal(t, "tenant_c", report.Schema, "%v", report) &&
		assert.Equal(t, f.roles.Tenant("tenant_c"), report.Role, "%v", report) {
		assert.GreaterOrEqual(t, len(done(report.Actions)), 7, "%v", report)
	}
	f.exec(t, "create table tenant_c.notes (id serial primary key); create view tenant_c.seen as table tenant_c.notes")
	report = again()
	assert.False(t, report.Changed(), "a second run reports %v", report)
	const inFuture = "alter default privileges in schema tenant_c "
	for harm, repair := range map[string]string{
		"grant usage on schema tenant_c to public":                 "revoke all on schema tenant_c from public",
		"revoke usage on schema tenant_c from ROLE":                "grant usage on schema tenant_c to ROLE",
		"revoke update on tenant_c.seen from ROLE":                 "grant select, insert, update, delete on all tables",
		"revoke usage on sequence tenant_c.notes_id_seq from ROLE": "grant usage, select on all sequences",
		inFuture + "revoke insert on tables from ROLE": inFuture +
			"grant select, insert, update, delete on tables",
		inFuture + "revoke select, usage on sequences from ROLE": inFuture + "grant usage, select on sequences",
		"revoke ROLE from RUNTIME":                               "grant ROLE to RUNTIME",
	} {
		names := strings.NewReplacer("ROLE", f.roles.Tenant("tenant_c"), "RUNTIME", f.roles.Runtime())
		f.exec(t, names.Replace(harm))
		expectDone(t, again().Actions, names.Replace(repair))
	}
}

// Memberships have options since PostgreSQL 16.
func TestProvisionRepairsAMembershipThatInherits(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if pgtest.Version(t) < 16 {
		t.Skip("memberships have no options before PostgreSQL 16")
	}
	f.exec(t, "grant "+f.roles.Tenant("tenant_a")+" to "+f.roles.Runtime()+" with inherit true")
	report, err := admin.Provision(t.Context(), f.owner, f.roles, "tenant_a")
	require.NoError(t, err)
	expectDone(t, report.Actions, "grant "+f.roles.Tenant("tenant_a")+" to")
	report, err = admin.Provision(t.Context(), f.owner, f.roles, "tenant_a")
	require.NoError(t, err)
	expectDone(t, report.Actions)
}

// The owner's default privileges for PUBLIC on new schemas must not apply to a tenant's schema.
func TestProvisionRevokesANewSchemaFromPublic(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "alter default privileges grant all on schemas to public")
	f.provision(t, "tenant_c")
	var open bool
	require.NoError(
		t,
		f.pg.Pool.QueryRow(
			t.Context(),
			"select exists (select from pg_namespace, aclexplode(nspacl) where nspname = 'tenant_c' and grantee = 0)",
		).
			Scan(&open),
	)
	assert.False(t, open, "everybody has rights on the schema")
}

func TestProvisionLoginReportsWhatItDid(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, "revoke connect on database "+f.pg.Name+" from public")
	role := f.roles.Tenant("tenant_a")
	for _, want := range [][]string{
		{"alter role " + role + " password", "alter role " + role + " login", "grant connect on database"},
		{"alter role " + role + " password"},
	} {
		report, err := admin.ProvisionLogin(t.Context(), f.owner, f.roles, "tenant_a", "secret password")
		require.NoError(t, err)
		expectDone(t, report.Actions, want...)
		for _, a := range report.Actions {
			assert.NotContains(t, a.String(), "secret", "the report gives a password away: %s", a)
			assert.NotContains(t, a.What, "SCRAM", "the report gives a password away: %s", a)
		}
	}
}
