package admin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// hardened returns the fixture after Harden as the administrator.
func hardened(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	report, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	require.True(t, report.Complete(), "hardening is not complete: %v", report.Actions)
	require.GreaterOrEqual(t, len(report.Actions), 5, "hardening is not complete: %v", report.Actions)
	return f
}

// escape returns a statement that takes another tenant's role while it runs and then reads with it.
// The SELECT inside ts_stat is planned after set_config has run.
func escape(f *fixture) string {
	return "select set_config('role', '" + f.roles.Tenant("tenant_b") + `', true),
		(select word from ts_stat($$select to_tsvector('simple', body) from tenant_b.notes$$) order by word desc limit 1)`
}

func TestHardenStopsAStatementFromTakingAnotherRole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	var role, word string
	err := f.db.QueryRow(ctx, escape(f)).Scan(&role, &word)
	require.NoError(t, err, "before hardening, the attack that it is there to stop got %q", word)
	require.Equal(t, "tenant", word, "before hardening, the attack that it is there to stop got %q", word)

	_, err = admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	expectState(t, f.db.QueryRow(ctx, escape(f)).Scan(&role, &word), "42501")
	expectNote(t, ctx, f.db, "tenant_a") // the scope statement still works
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

// The cases say what a tenant's role can and cannot do in one statement after Harden.
func TestHardenedTenantRole(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	f.exec(t, "create function tenant_a.one() returns int language plpgsql as 'begin return 1; end'")
	for _, tc := range []struct{ name, sql, state string }{
		{"pg_settings", "update pg_settings set setting = 'x' where name = 'application_name'", "42501"},
		{"explain analyze", "explain analyze select set_config('application_name', 'x', true)", "42501"},
		{"do", "do $$ begin perform 1; end $$", "42501"},
		{"large object", "select lo_from_bytea(0, 'x')", "42501"},
		{"large object by number", "select lo_create(4711)", "42501"},
		{"large object, old", "select lo_creat(-1)", "42501"},
		{"temporary table", "create temporary table x ()", "42501"},
		{"temporary function", "create function pg_temp.f() returns int language sql as 'select 1'", "42501"},
		{"file", "select pg_read_file('PG_VERSION')", "42501"},
		{"terminate", "select pg_terminate_backend(pg_backend_pid())", "42501"},
		{"cancel", "select pg_cancel_backend(pg_backend_pid())", "42501"},
		{"settings of the login", "alter role " + f.roles.Runtime() + " set role = 'x'", "42501"},
		{"settings of the database", "alter database " + f.pg.Name + " set search_path = 'x'", "42501"},
		{"function of its own", "select one()", ""},
		{"notify", "select pg_notify('x', 'y')", ""},
		{"its own settings", "alter role " + f.roles.Tenant("tenant_a") + " set search_path = tenant_b", ""},
	} {
		_, err := f.db.Exec(in(t, "tenant_a"), tc.sql)
		if tc.state == "" {
			assert.NoError(t, err, tc.name)
			continue
		}
		assert.Equal(t, tc.state, stateOf(err), "%s: got %v, want SQLSTATE %s", tc.name, err, tc.state)
	}
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
}

// stateOf returns the SQLSTATE of an error of PostgreSQL.
func stateOf(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// The owner can still migrate, dump and restore. It needs the functions that pg_dump and pg_restore
// call first, CREATE FUNCTION, DO blocks and large objects.
func TestHardenKeepsThePrivilegesOfMigrationsAndDumps(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	for _, sql := range []string{
		"select pg_catalog.set_config('search_path', '', false)",
		"do $$ begin perform 1; end $$",
		"create function tenant_a.two() returns int language plpgsql as 'begin return 2; end'",
		"select pg_catalog.lo_unlink(pg_catalog.lo_create(0))",
	} {
		f.exec(t, sql)
	}
}

func TestHardenReportsWhatItDidAndCanRunAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	outcomes := func(want admin.ActionOutcome) {
		t.Helper()
		report, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
		require.NoError(t, err)
		for _, a := range report.Actions {
			assert.Equal(t, want, a.Outcome, a)
			assert.NoError(t, a.Err, a)
		}
		if assert.GreaterOrEqual(t, len(report.Actions), 5,
			"got the actions %v, want set_config first and all others", report.Actions) {
			assert.Contains(t, report.Actions[0].What, "set_config",
				"got the actions %v, want set_config first and all others", report.Actions)
		}
	}
	outcomes(admin.ActionDone)
	outcomes(admin.ActionAlready)
	run(t, f, "revoke execute on function pg_catalog.set_config from "+f.roles.Runtime())
	report, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	got := report.Actions[0].Outcome
	assert.Zero(t, got, "a lost grant: %s, want it done again", got)
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
}

// On a managed service no login owns pg_catalog. PostgreSQL then only warns.
func TestHardenReportsWhatIsImpossible(t *testing.T) {
	t.Parallel()
	f := setup(t)
	report, err := admin.Harden(t.Context(), f.owner, f.roles)
	require.NoError(t, err)
	assert.False(t, report.Complete(), "got %v, want nothing complete", report.Actions)
	assert.GreaterOrEqual(t, len(report.Actions), 5, "got %v, want nothing complete", report.Actions)
	for _, a := range report.Actions {
		assert.Equal(t, admin.ActionImpossible, a.Outcome, "%s; want it impossible, with a reason", a)
		assert.Error(t, a.Err, "%s; want it impossible, with a reason", a)
	}
	var role, word string
	require.NoError(t, f.db.QueryRow(in(t, "tenant_a"), escape(f)).Scan(&role, &word)) // still possible
}

// A role that got a privilege with the grant option may have granted it to PUBLIC. A REVOKE by the
// owner of the object does not remove that grant, and gives no error.
func TestHardenReadsBackWhatItRevoked(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, f.named(`create role {prefix}_x; grant execute on function set_config to {prefix}_x with grant option;
		set role {prefix}_x; grant execute on function set_config to public; reset role`))
	report, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	got := report.Actions[0]
	if assert.False(t, report.Complete(), "%s; want it impossible because of the other grant", got) &&
		assert.Equal(t, admin.ActionImpossible, got.Outcome, "%s; want it impossible because of the other grant", got) {
		assert.ErrorContains(t, got.Err, f.named("{prefix}_x granted it"),
			"%s; want it impossible because of the other grant", got)
	}
	assert.Zero(t, report.Actions[1].Outcome, "%s; want what is possible done", report.Actions[1])
}

func TestHardenChangesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, `create function refuse() returns event_trigger language plpgsql as $$
		begin if current_query() ~ 'language' then raise exception 'not today'; end if; end $$`)
	run(t, f, "create event trigger refuse on ddl_command_start when tag in ('REVOKE') execute function refuse()")
	report, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	assert.Equal(t, "P0001", stateOf(err), "got %v, %v; want the trigger's error alone", report.Actions, err)
	assert.Empty(t, report.Actions, "got %v, %v; want the trigger's error alone", report.Actions, err)
	var role, word string
	require.NoError(t, f.db.QueryRow(in(t, "tenant_a"), escape(f)).Scan(&role, &word))
}

func TestHardenRequiresSetup(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other, err := schemactx.NewRoleNames("nobody_has_this")
	require.NoError(t, err)
	_, err = admin.Harden(t.Context(), f.pg.Pool, other)
	assert.ErrorContains(t, err, "Setup", "got %v, want an error that names Setup", err)
}

// Harden closes every trusted language that has DO blocks, not only plpgsql.
func TestHardenFindsOtherLanguages(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(
		t,
		f,
		`create trusted language "Other" handler plpgsql_call_handler inline plpgsql_inline_handler validator
			plpgsql_validator`,
	)
	report, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	other := func(a admin.Action) bool { return strings.Contains(a.What, `language "Other"`) }
	assert.True(t, slices.ContainsFunc(report.Actions, other),
		"got %v, want the language too", report.Actions)
	_, err = f.db.Exec(in(t, "tenant_a"), `do $$ begin perform 1; end $$ language "Other"`)
	expectState(t, err, "42501")
}

// run runs a statement as the administrator.
func run(t *testing.T, f *fixture, sql string) {
	t.Helper()
	_, err := f.pg.Pool.Exec(context.WithoutCancel(t.Context()), sql)
	require.NoError(t, err, sql)
}
