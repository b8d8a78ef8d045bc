package admin_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// defect is a problem that Check must report until repair, the advice of the finding, has run.
// Names of roles are in braces.
type defect struct {
	plant, repair string
	want          []string // "severity code: object" of each finding, in any order
	pathOnly      []string // the findings at PathOnly
}

// warn and refuse return a wanted finding of a defect.
func warn(code admin.Code, object string) string { return "warn " + string(code) + ": " + object }

func refuse(code admin.Code, object string) string {
	return "refuse " + string(code) + ": " + object
}

// named replaces the names in braces by the names of the fixture.
func (f *fixture) named(s string) string {
	return strings.NewReplacer("{owner}", f.roles.Owner(), "{runtime}", f.roles.Runtime(), "{public}", f.roles.Public(),
		"{a}", f.roles.Tenant("tenant_a"), "{b}", f.roles.Tenant("tenant_b"), "{long}", f.roles.Tenant(longSchema),
		"{long_schema}", longSchema, "{db}", f.pg.Name, "{prefix}", f.roles.Prefix()).Replace(s)
}

// longSchema is a schema whose role has a hash in its name.
var longSchema = strings.Repeat("long", 15)

// found runs Check as the runtime login on a new session. It returns the findings in the format of
// defect.
func (f *fixture) found(t *testing.T, level schemactx.Level) []string {
	t.Helper()
	return f.foundWith(t, admin.CheckConfig{Level: level, SharedSchemas: []string{"lib"}})
}

func (f *fixture) foundWith(t *testing.T, cfg admin.CheckConfig) []string {
	t.Helper()
	pool := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	defer pool.Close()
	cfg.Roles = f.roles
	report, err := admin.Check(t.Context(), pool, cfg)
	require.NoError(t, err)
	var found []string
	refused := false
	for _, finding := range report.Findings {
		found = append(found, fmt.Sprintf("%s %s: %s", finding.Severity, finding.Code, finding.Object))
		refused = refused || finding.Severity == admin.Refuse
		assert.False(t, strings.ContainsAny(finding.Message, "{}"), "message is not filled in: %s", finding.Message)
		assert.NotContains(t, finding.Message, "  ", "message is not filled in: %s", finding.Message)
	}
	assert.Equal(t, refused, errors.Is(report.Err(), admin.ErrUnsafe), "report.Err() is ErrUnsafe")
	return found
}

// expectDefects creates and repairs each defect in turn. A defect that is not repaired appears
// among the findings of the next one or in the last check.
func expectDefects(t *testing.T, defects map[string]defect) {
	t.Helper()
	f := hardened(t)
	f.provision(t, longSchema)
	run(t, f, "create schema lib; grant usage on schema lib to public")
	expectFound(t, "clean", f.found(t, schemactx.Roles), nil)
	expectFound(t, "clean, path only", f.found(t, schemactx.PathOnly), nil)
	for name, d := range defects {
		run(t, f, f.named(d.plant))
		for i, want := range d.want {
			d.want[i] = f.named(want)
		}
		for i, want := range d.pathOnly {
			d.pathOnly[i] = f.named(want)
		}
		expectFound(t, name, f.found(t, schemactx.Roles), d.want)
		expectFound(t, name+", path only", f.found(t, schemactx.PathOnly), d.pathOnly)
		run(t, f, f.named(d.repair))
	}
	expectFound(t, "all repaired", f.found(t, schemactx.Roles), nil)
}

func expectFound(t *testing.T, name string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	assert.True(t, slices.Equal(got, want),
		"%s: found\n\t%s\nwant\n\t%s", name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
}

func TestCheckFindsWhatTheLoginMustNotHave(t *testing.T) {
	t.Parallel()
	attribute := []string{refuse(admin.CodeLoginAttribute, "{runtime}")}
	defects := map[string]defect{
		"bypassrls":   {"alter role {runtime} bypassrls", "alter role {runtime} nobypassrls", attribute, attribute},
		"createrole":  {"alter role {runtime} createrole", "alter role {runtime} nocreaterole", attribute, attribute},
		"createdb":    {"alter role {runtime} createdb", "alter role {runtime} nocreatedb", attribute, attribute},
		"replication": {"alter role {runtime} replication", "alter role {runtime} noreplication", attribute, attribute},
		"role of the session": {
			"alter role {runtime} set role = {public}", "alter role {runtime} reset role",
			[]string{refuse(admin.CodeLoginRole, "{runtime}")},
			nil,
		},
		"owns a table": {
			"create table public.mine (); alter table public.mine owner to {runtime}",
			"alter table public.mine owner to {owner}",
			[]string{refuse(admin.CodeLoginOwns, "table public.mine")},
			[]string{warn(admin.CodeLoginOwns, "table public.mine")},
		},
		"rights on a table": {
			"grant select on tenant_a.notes to {runtime}", "revoke select on tenant_a.notes from {runtime}",
			[]string{refuse(admin.CodeLoginRights, "table tenant_a.notes")},
			nil,
		},
		"rights on a column": {
			"grant select (body) on tenant_a.notes to {runtime}", "revoke select (body) on tenant_a.notes from {runtime}",
			[]string{refuse(admin.CodeLoginRights, "column body of table tenant_a.notes")},
			nil,
		},
		"rights on a schema": {
			"grant usage on schema tenant_a to {runtime}", "revoke usage on schema tenant_a from {runtime}",
			[]string{refuse(admin.CodeLoginRights, "schema tenant_a")},
			nil,
		},
		"member of the owner": {
			"grant {owner} to {runtime}" + noInherit(t), "revoke {owner} from {runtime}",
			[]string{refuse(admin.CodeLoginMember, "{owner}")},
			nil,
		},
		"may grant a role": {
			"set role {owner}; grant {a} to {runtime} with admin option",
			"set role {owner}; revoke admin option for {a} from {runtime}; reset role",
			[]string{refuse(admin.CodeLoginMember, "{a}")},
			nil,
		},
		"may create in a schema": {
			"grant create on schema lib to {runtime}", "revoke create on schema lib from {runtime}",
			[]string{refuse(admin.CodeLoginCreate, "schema lib"), refuse(admin.CodeLoginRights, "schema lib")},
			[]string{warn(admin.CodeLoginCreate, "schema lib")},
		},
		"may create schemas": {
			"grant create on database {db} to {runtime}", "revoke create on database {db} from {runtime}",
			[]string{refuse(admin.CodeLoginCreate, "database {db}")},
			[]string{warn(admin.CodeLoginCreate, "database {db}")},
		},
		"temporary objects": {
			"grant temporary on database {db} to {runtime}", "revoke temporary on database {db} from {runtime}",
			[]string{refuse(admin.CodeTemporary, "database {db}")},
			[]string{warn(admin.CodeTemporary, "database {db}")},
		},
		"temporary objects of PUBLIC": {
			"grant temporary on database {db} to public", "revoke temporary on database {db} from public",
			[]string{refuse(admin.CodeTemporary, "database {db}")},
			[]string{warn(admin.CodeTemporary, "database {db}")},
		},
		"PUBLIC creates in public": {
			"grant create on schema public to public", "revoke create on schema public from public",
			[]string{refuse(admin.CodePublicCreate, "schema public")},
			[]string{refuse(admin.CodePublicCreate, "schema public")},
		},
		"PUBLIC creates schemas": {
			"grant create on database {db} to public", "revoke create on database {db} from public",
			[]string{refuse(admin.CodePublicCreate, "database {db}")},
			[]string{refuse(admin.CodePublicCreate, "database {db}")},
		},
		"no set_config": {
			"revoke execute on function set_config from {runtime}", "grant execute on function set_config to {runtime}",
			[]string{refuse(admin.CodeLoginSetConfig, "{runtime}")},
			[]string{refuse(admin.CodeLoginSetConfig, "{runtime}")},
		},
	}
	inherits := defect{
		"set role {owner}; grant {a} to {runtime} with inherit true; reset role",
		"set role {owner}; grant {a} to {runtime} with inherit false; reset role",
		[]string{refuse(admin.CodeLoginInherits, "{a}")},
		nil,
	}
	if pgtest.Version(t) < 16 {
		inherits.plant, inherits.repair = "alter role {runtime} inherit", "alter role {runtime} noinherit"
		inherits.want = append(inherits.want, refuse(admin.CodeLoginInherits, "{b}"),
			refuse(admin.CodeLoginInherits, "{public}"), refuse(admin.CodeLoginInherits, "{long}"))
	}
	defects["inherits"] = inherits
	expectDefects(t, defects)
}

// noInherit returns the option of a GRANT of a role that prevents inheriting. Since PostgreSQL 16,
// NOINHERIT of the member is only the default.
func noInherit(t *testing.T) string {
	if pgtest.Version(t) < 16 {
		return ""
	}
	return " with inherit false"
}

func TestCheckFindsASuperuser(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, "alter role "+f.roles.Runtime()+" superuser")
	want := refuse(admin.CodeLoginAttribute, f.roles.Runtime())
	for _, level := range []schemactx.Level{schemactx.Roles, schemactx.PathOnly} {
		assert.Contains(t, f.found(t, level), want, "level %d: found", level)
	}
}

func TestCheckFindsAnotherLogin(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, f.named("create role {prefix}_other login noinherit password 'password'"))
	pool := openPool(t, f.pg.URLAs(f.roles.Prefix()+"_other", "password"), 1)
	report, err := admin.Check(t.Context(), pool, admin.CheckConfig{Roles: f.roles})
	require.NoError(t, err)
	codes := []admin.Code{admin.CodeLoginName, admin.CodeLoginSetConfig}
	if assert.Len(t, report.Findings, 2, "found %v, want the codes %v", report.Findings, codes) &&
		assert.Equal(t, codes[0], report.Findings[0].Code, "found %v, want the codes %v", report.Findings, codes) {
		assert.Equal(t, codes[1], report.Findings[1].Code, "found %v, want the codes %v", report.Findings, codes)
	}
}

func TestCheckCountsFindingsBeyondTheLimit(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	f.provision(t, "tenant_c")
	run(t, f, "grant usage on schema tenant_a, tenant_b, tenant_c to public")
	report, err := admin.Check(t.Context(), f.runtime(t), admin.CheckConfig{Roles: f.roles, Limit: 2})
	require.NoError(t, err)
	assert.Len(t, report.Findings, 2, "found %v and omitted %v, want 2 and 1", report.Findings, report.Omitted)
	assert.Equal(t, 1, report.Omitted[admin.CodeSchemaShared],
		"found %v and omitted %v, want 2 and 1", report.Findings, report.Omitted)
}

func TestCheckErrorSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, f.named("grant usage on schema tenant_a to public; grant usage on language plpgsql to {a}"))
	report, err := admin.Check(t.Context(), f.runtime(t), admin.CheckConfig{Roles: f.roles})
	require.NoError(t, err)
	var unsafe *admin.CheckError
	require.ErrorAs(t, report.Err(), &unsafe, "got %v, want the finding to refuse alone", report.Err())
	require.Len(t, unsafe.Findings, 1, "got %v, want the finding to refuse alone", report.Err())
	require.Equal(t, admin.CodeSchemaShared, unsafe.Findings[0].Code,
		"got %v, want the finding to refuse alone", report.Err())
	assert.Contains(t, unsafe.Error(), "REVOKE ALL ON schema tenant_a FROM PUBLIC",
		"got %q, want the remedy in it", unsafe.Error())
}

// Before Harden there are only warnings. On managed services Harden is not possible.
func TestCheckOfADatabaseThatIsNotHardenedWarns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	report, err := admin.Check(t.Context(), f.runtime(t), admin.CheckConfig{Roles: f.roles})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	for _, finding := range report.Findings {
		assert.Equal(t, admin.CodeNotHardened, finding.Code, "found %s", finding)
		assert.Equal(t, admin.Warn, finding.Severity, "found %s", finding)
	}
	assert.Len(t, report.Findings, 5, "found %v, want the four functions and plpgsql", report.Findings)
}

// Check must not call functions that a role has created in public under the names of built-in ones.
func TestCheckIgnoresPlantedFunctions(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(
		t,
		f,
		f.named(
			"alter role {runtime} createrole; create function public.starts_with(text, "+
				"text) returns bool language sql as 'select 1/0 = 1'",
		),
	)
	run(
		t,
		f,
		f.named(
			"create view public.pg_roles as select * from pg_catalog.pg_roles where false; "+
				"alter role {runtime} set search_path = public, pg_catalog",
		),
	)
	expectFound(t, "planted", f.found(t, schemactx.Roles), []string{refuse(admin.CodeLoginAttribute, f.roles.Runtime())})
}

func TestCheckReturnsErrors(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := admin.Check(ctx, f.runtime(t), admin.CheckConfig{Roles: f.roles})
	assert.ErrorIs(t, err, context.Canceled)
	_, err = admin.Check(t.Context(), nil, admin.CheckConfig{})
	assert.Error(t, err, "a nil pool was taken")
}

// runtime opens a pool of the runtime login.
func (f *fixture) runtime(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
}
