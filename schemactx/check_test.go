package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// defect is something that Check must find, and find no more once it is repaired as the
// finding says. The names of roles stand in braces.
type defect struct {
	plant, repair string
	want          []string // "severity code: object" of each finding, in any order
	pathOnly      []string // the same at PathOnly
}

// warn and refuse build what is wanted of a defect.
func warn(code schemactx.Code, object string) string { return "warn " + string(code) + ": " + object }

func refuse(code schemactx.Code, object string) string {
	return "refuse " + string(code) + ": " + object
}

// named puts the fixture's names where a test's text has them in braces.
func (f *fixture) named(s string) string {
	return strings.NewReplacer("{owner}", f.roles.Owner(), "{runtime}", f.roles.Runtime(), "{public}", f.roles.Public(),
		"{a}", f.roles.Tenant("tenant_a"), "{b}", f.roles.Tenant("tenant_b"), "{long}", f.roles.Tenant(longSchema),
		"{long_schema}", longSchema, "{db}", f.pg.Name, "{prefix}", f.roles.Prefix()).Replace(s)
}

// longSchema has a role whose name holds a hash.
var longSchema = strings.Repeat("long", 15)

// found checks as the runtime login, on a session of its own, and returns the findings as
// defect has them.
func (f *fixture) found(t *testing.T, level schemactx.Level) []string {
	t.Helper()
	pool := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	defer pool.Close()
	report, err := schemactx.Check(t.Context(), pool, schemactx.CheckConfig{Level: level, Roles: f.roles, SharedSchemas: []string{"lib"}})
	check(t, err)
	var found []string
	refused := false
	for _, finding := range report.Findings {
		found = append(found, fmt.Sprintf("%s %s: %s", finding.Severity, finding.Code, finding.Object))
		refused = refused || finding.Severity == schemactx.Refuse
		if strings.ContainsAny(finding.Message, "{}") || strings.Contains(finding.Message, "  ") {
			t.Errorf("message is not filled in: %s", finding.Message)
		}
	}
	if got := errors.Is(report.Err(), schemactx.ErrUnsafe); got != refused {
		t.Errorf("report.Err() is ErrUnsafe: %t, want %t", got, refused)
	}
	return found
}

// expectDefects plants each defect in turn and repairs it. What is not repaired is found with
// the next one, or in the end.
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
	if !slices.Equal(got, want) {
		t.Errorf("%s: found\n\t%s\nwant\n\t%s", name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestCheckFindsWhatTheLoginMustNotHave(t *testing.T) {
	t.Parallel()
	attribute := []string{refuse(schemactx.CodeLoginAttribute, "{runtime}")}
	defects := map[string]defect{
		"bypassrls":   {"alter role {runtime} bypassrls", "alter role {runtime} nobypassrls", attribute, attribute},
		"createrole":  {"alter role {runtime} createrole", "alter role {runtime} nocreaterole", attribute, attribute},
		"createdb":    {"alter role {runtime} createdb", "alter role {runtime} nocreatedb", attribute, attribute},
		"replication": {"alter role {runtime} replication", "alter role {runtime} noreplication", attribute, attribute},
		"role of the session": {
			"alter role {runtime} set role = {public}", "alter role {runtime} reset role",
			[]string{refuse(schemactx.CodeLoginRole, "{runtime}")},
			nil,
		},
		"owns a table": {
			"create table public.mine (); alter table public.mine owner to {runtime}", "alter table public.mine owner to {owner}",
			[]string{refuse(schemactx.CodeLoginOwns, "table public.mine")},
			[]string{warn(schemactx.CodeLoginOwns, "table public.mine")},
		},
		"rights on a table": {
			"grant select on tenant_a.notes to {runtime}", "revoke select on tenant_a.notes from {runtime}",
			[]string{refuse(schemactx.CodeLoginRights, "table tenant_a.notes")},
			nil,
		},
		"rights on a column": {
			"grant select (body) on tenant_a.notes to {runtime}", "revoke select (body) on tenant_a.notes from {runtime}",
			[]string{refuse(schemactx.CodeLoginRights, "column body of table tenant_a.notes")},
			nil,
		},
		"rights on a schema": {
			"grant usage on schema tenant_a to {runtime}", "revoke usage on schema tenant_a from {runtime}",
			[]string{refuse(schemactx.CodeLoginRights, "schema tenant_a")},
			nil,
		},
		"member of the owner": {
			"grant {owner} to {runtime}" + noInherit(t), "revoke {owner} from {runtime}",
			[]string{refuse(schemactx.CodeLoginMember, "{owner}")},
			nil,
		},
		"may grant a role": {
			"set role {owner}; grant {a} to {runtime} with admin option", "set role {owner}; revoke admin option for {a} from {runtime}; reset role",
			[]string{refuse(schemactx.CodeLoginMember, "{a}")},
			nil,
		},
		"may create in a schema": {
			"grant create on schema lib to {runtime}", "revoke create on schema lib from {runtime}",
			[]string{refuse(schemactx.CodeLoginCreate, "schema lib"), refuse(schemactx.CodeLoginRights, "schema lib")},
			[]string{warn(schemactx.CodeLoginCreate, "schema lib")},
		},
		"may create schemas": {
			"grant create on database {db} to {runtime}", "revoke create on database {db} from {runtime}",
			[]string{refuse(schemactx.CodeLoginCreate, "database {db}")},
			[]string{warn(schemactx.CodeLoginCreate, "database {db}")},
		},
		"temporary objects": {
			"grant temporary on database {db} to {runtime}", "revoke temporary on database {db} from {runtime}",
			[]string{refuse(schemactx.CodeTemporary, "database {db}")},
			[]string{warn(schemactx.CodeTemporary, "database {db}")},
		},
		"temporary objects of PUBLIC": {
			"grant temporary on database {db} to public", "revoke temporary on database {db} from public",
			[]string{refuse(schemactx.CodeTemporary, "database {db}")},
			[]string{warn(schemactx.CodeTemporary, "database {db}")},
		},
		"PUBLIC creates in public": {
			"grant create on schema public to public", "revoke create on schema public from public",
			[]string{refuse(schemactx.CodePublicCreate, "schema public")},
			[]string{refuse(schemactx.CodePublicCreate, "schema public")},
		},
		"PUBLIC creates schemas": {
			"grant create on database {db} to public", "revoke create on database {db} from public",
			[]string{refuse(schemactx.CodePublicCreate, "database {db}")},
			[]string{refuse(schemactx.CodePublicCreate, "database {db}")},
		},
		"no set_config": {
			"revoke execute on function set_config from {runtime}", "grant execute on function set_config to {runtime}",
			[]string{refuse(schemactx.CodeLoginSetConfig, "{runtime}")},
			[]string{refuse(schemactx.CodeLoginSetConfig, "{runtime}")},
		},
	}
	inherits := defect{
		"set role {owner}; grant {a} to {runtime} with inherit true; reset role",
		"set role {owner}; grant {a} to {runtime} with inherit false; reset role",
		[]string{refuse(schemactx.CodeLoginInherits, "{a}")},
		nil,
	}
	if pgtest.Version(t) < 16 {
		inherits.plant, inherits.repair = "alter role {runtime} inherit", "alter role {runtime} noinherit"
		inherits.want = append(inherits.want, refuse(schemactx.CodeLoginInherits, "{b}"),
			refuse(schemactx.CodeLoginInherits, "{public}"), refuse(schemactx.CodeLoginInherits, "{long}"))
	}
	defects["inherits"] = inherits
	expectDefects(t, defects)
}

// noInherit is what a GRANT of a role says since PostgreSQL 16, where the member's NOINHERIT
// is a default only.
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
	want := refuse(schemactx.CodeLoginAttribute, f.roles.Runtime())
	for _, level := range []schemactx.Level{schemactx.Roles, schemactx.PathOnly} {
		if found := f.found(t, level); !slices.Contains(found, want) {
			t.Errorf("level %d: found %v, want %s", level, found, want)
		}
	}
}

func TestCheckFindsAnotherLogin(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, f.named("create role {prefix}_other login noinherit password 'password'"))
	pool := openPool(t, f.pg.URLAs(f.roles.Prefix()+"_other", "password"), 1)
	report, err := schemactx.Check(t.Context(), pool, schemactx.CheckConfig{Roles: f.roles})
	check(t, err)
	codes := []schemactx.Code{schemactx.CodeLoginName, schemactx.CodeLoginSetConfig}
	if len(report.Findings) != 2 || report.Findings[0].Code != codes[0] || report.Findings[1].Code != codes[1] {
		t.Errorf("found %v, want the codes %v", report.Findings, codes)
	}
}

func TestCheckFindsWhatTenantsMustNotHave(t *testing.T) {
	t.Parallel()
	attribute := []string{refuse(schemactx.CodeTenantAttribute, "{a}")}
	expectDefects(t, map[string]defect{
		"superuser":   {"alter role {a} superuser", "alter role {a} nosuperuser", attribute, nil},
		"bypassrls":   {"alter role {a} bypassrls", "alter role {a} nobypassrls", attribute, nil},
		"createrole":  {"alter role {a} createrole", "alter role {a} nocreaterole", attribute, nil},
		"createdb":    {"alter role {a} createdb", "alter role {a} nocreatedb", attribute, nil},
		"replication": {"alter role {a} replication", "alter role {a} noreplication", attribute, nil},
		"login": {
			"alter role {a} login", "alter role {a} nologin",
			[]string{refuse(schemactx.CodeTenantLogin, "{a}")},
			nil,
		},
		"login of a hashed name": {
			"alter role {long} login", "alter role {long} nologin",
			[]string{refuse(schemactx.CodeTenantLogin, "{long}")},
			nil,
		},
		"login of the public role": {
			"alter role {public} login", "alter role {public} nologin",
			[]string{refuse(schemactx.CodeTenantLogin, "{public}")},
			nil,
		},
		"member of another tenant's role": {
			"grant {b} to {a}", "revoke {b} from {a}",
			[]string{refuse(schemactx.CodeTenantMember, "{a}")},
			nil,
		},
		"owns a table": {
			"alter table tenant_a.notes owner to {a}", "alter table tenant_a.notes owner to {owner}",
			[]string{refuse(schemactx.CodeTenantOwns, "table tenant_a.notes")},
			nil,
		},
		"owns its schema": {
			"alter schema tenant_a owner to {a}", "alter schema tenant_a owner to {owner}; grant usage on schema tenant_a to {a}",
			[]string{refuse(schemactx.CodeTenantOwns, "schema tenant_a"), refuse(schemactx.CodeTenantCreate, "schema tenant_a")},
			nil,
		},
		"creates in its schema": {
			"grant create on schema tenant_a to {a}", "revoke create on schema tenant_a from {a}",
			[]string{refuse(schemactx.CodeTenantCreate, "schema tenant_a")},
			nil,
		},
		"creates schemas": {
			"grant create on database {db} to {a}", "revoke create on database {db} from {a}",
			[]string{refuse(schemactx.CodeTenantCreate, "database {db}")},
			nil,
		},
		"temporary objects": {
			"grant temporary on database {db} to {a}", "revoke temporary on database {db} from {a}",
			[]string{refuse(schemactx.CodeTemporary, "database {db}")},
			[]string{warn(schemactx.CodeTemporary, "database {db}")},
		},
		"rights on another tenant's table": {
			"grant select on tenant_b.notes to {a}", "revoke select on tenant_b.notes from {a}",
			[]string{refuse(schemactx.CodeTenantRights, "table tenant_b.notes")},
			nil,
		},
		"schema open to another tenant": {
			"grant usage on schema tenant_b to {a}", "revoke usage on schema tenant_b from {a}",
			[]string{refuse(schemactx.CodeSchemaShared, "schema tenant_b")},
			nil,
		},
		"schema open to everybody": {
			"grant usage on schema {long_schema} to public", "revoke usage on schema {long_schema} from public",
			[]string{refuse(schemactx.CodeSchemaShared, "schema {long_schema}")},
			nil,
		},
		"large object": {
			"select lo_create(4711); alter large object 4711 owner to {a}", "select lo_unlink(4711)",
			[]string{warn(schemactx.CodeLargeObject, "{a}")},
			nil,
		},
	})
}

func TestCheckFindsWhatTenantsCanUse(t *testing.T) {
	t.Parallel()
	hardenedRight := func(object string) []string { return []string{warn(schemactx.CodeNotHardened, object)} }
	definer := []string{warn(schemactx.CodeDefinerPath, "function public.d()")}
	view := []string{warn(schemactx.CodeViewRights, "view tenant_a.v")}
	function := []string{warn(schemactx.CodePlanted, "function lib.lower(text)")}
	operator := []string{warn(schemactx.CodePlanted, "operator lib.=(text,integer)")}
	invoker := "alter view tenant_a.v set (security_invoker = on)"
	if pgtest.Version(t) < 15 {
		invoker = "drop view tenant_a.v"
	}
	defects := map[string]defect{
		"set_config": {
			"grant execute on function set_config to public", "revoke execute on function set_config from public",
			hardenedRight("EXECUTE on function set_config(text,text,boolean)"), nil,
		},
		"set_config of one tenant": {
			"grant execute on function set_config to {a}", "revoke execute on function set_config from {a}",
			hardenedRight("EXECUTE on function set_config(text,text,boolean)"), nil,
		},
		"large objects": {
			"grant execute on function lo_create to public", "revoke execute on function lo_create from public",
			hardenedRight("EXECUTE on function lo_create(oid)"), nil,
		},
		"plpgsql": {
			"grant usage on language plpgsql to public", "revoke usage on language plpgsql from public",
			hardenedRight("USAGE on language plpgsql"), nil,
		},
		"definer": {
			"create function public.d() returns int language sql security definer as 'select 1'",
			"alter function public.d() set search_path = pg_catalog", definer, definer,
		},
		"definer kept to the owner": {
			"create function lib.d() returns int language sql security definer as 'select 1'; revoke execute on function lib.d() from public",
			"drop function lib.d()", nil, nil,
		},
		"definer in a closed schema": {
			"create schema closed; create function closed.d() returns int language sql security definer as 'select 1'", "", nil, nil,
		},
		"view": {
			"create view tenant_a.v as select * from tenant_b.notes; grant select on tenant_a.v to {a}", invoker, view, nil,
		},
		"materialized view": {
			"create materialized view tenant_a.m as select * from tenant_b.notes; grant select on tenant_a.m to {a}",
			"drop materialized view tenant_a.m",
			[]string{warn(schemactx.CodeViewRights, "view tenant_a.m")},
			nil,
		},
		"view in a shared schema": {
			"create view lib.v as select * from tenant_b.notes; grant select on lib.v to public", "revoke select on lib.v from public",
			[]string{warn(schemactx.CodeViewRights, "view lib.v")},
			nil,
		},
		"view of its own schema": {
			"create view tenant_a.own as select * from tenant_a.notes; grant select on tenant_a.own to {a}", "", nil, nil,
		},
		"planted function": {
			"create role {prefix}_dev; grant usage, create on schema lib to {prefix}_dev; set role {prefix}_dev;" +
				"create function lib.lower(text) returns text language sql as 'select $1'; reset role",
			"alter function lib.lower(text) owner to {owner}", function, function,
		},
		"planted operator": {
			"create function lib.eq(text, int) returns bool language sql as 'select true';" +
				"create operator lib.= (leftarg = text, rightarg = int, function = lib.eq);" +
				"create role {prefix}_dev2; alter operator lib.= (text, int) owner to {prefix}_dev2",
			"alter operator lib.= (text, int) owner to {owner}", operator, operator,
		},
	}
	expectDefects(t, defects)
}

func TestCheckFindsFunctionsThatChangeTheSession(t *testing.T) {
	t.Parallel()
	const kept = "revoke execute on function lib.f() from public"
	wrapped := func(body string) string {
		return "create function lib.f() returns void language plpgsql as $$ begin " + body + " end $$"
	}
	found := func() []string { return []string{warn(schemactx.CodeSessionFunction, "function lib.f()")} }
	defects := map[string]defect{}
	for name, body := range map[string]string{
		"set_config":    "perform set_config('search_path', 'x', false);",
		"set":           "perform 1; set search_path = x;",
		"set first":     "SET search_path = x;",
		"set in an if":  "if true then set local role x; end if;",
		"reset":         "reset all;",
		"discard":       "discard all;",
		"listen":        "listen x;",
		"lock":          "perform pg_advisory_lock(1);",
		"try lock":      "perform pg_try_advisory_lock_shared(1);",
		"execute":       "execute format('select %s', 1);",
		"after comment": "/* a */ set search_path = x; /* b */",
	} {
		defects[name] = defect{wrapped(body), kept + "; drop function lib.f()", found(), found()}
	}
	for name, body := range map[string]string{
		"no set":      "update tenant_a.notes set body = 'x'; perform set_config('a.b', 'x', true);",
		"in comments": "perform 1; -- then set search_path = x;\n /* ; reset all */",
		"trigger":     "create trigger x after insert on tenant_a.notes execute function lib.g();",
		"other locks": "perform pg_advisory_xact_lock(1);",
	} {
		defects[name] = defect{wrapped(body), "drop function lib.f()", nil, nil}
	}
	defects["standard body"] = defect{
		"create function lib.f() returns text begin atomic select set_config('a.b', 'x', false); end",
		kept + "; drop function lib.f()", found(), found(),
	}
	defects["procedure that commits"] = defect{
		"create procedure lib.p() language plpgsql as $$ begin perform 1; commit; end $$",
		"revoke execute on procedure lib.p() from public; drop procedure lib.p()",
		[]string{warn(schemactx.CodeSessionFunction, "function lib.p()")},
		[]string{warn(schemactx.CodeSessionFunction, "function lib.p()")},
	}
	defects["trigger without EXECUTE"] = defect{
		"create function lib.f() returns trigger language plpgsql as $$ begin set search_path = x; return new; end $$; " + kept,
		"drop function lib.f()", found(), found(),
	}
	defects["runs as another role"] = defect{
		"create function lib.f() returns int language sql set role = {b} as 'select 1'", "alter function lib.f() reset role; drop function lib.f()",
		found(), found(),
	}
	defects["of an extension"] = defect{
		"create extension dblink schema lib; create role {prefix}_dev; " + wrapped("reset all;") +
			"; alter function lib.f() owner to {prefix}_dev; alter extension dblink add function lib.f()",
		"drop extension dblink",
		[]string{warn(schemactx.CodeSessionFunction, "extension dblink")},
		[]string{warn(schemactx.CodeSessionFunction, "extension dblink")},
	}
	expectDefects(t, defects)
}

func TestCheckCountsWhatIsBeyondTheLimit(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	f.provision(t, "tenant_c")
	run(t, f, "grant usage on schema tenant_a, tenant_b, tenant_c to public")
	report, err := schemactx.Check(t.Context(), f.runtime(t), schemactx.CheckConfig{Roles: f.roles, Limit: 2})
	check(t, err)
	if len(report.Findings) != 2 || report.Omitted[schemactx.CodeSchemaShared] != 1 {
		t.Errorf("found %v and omitted %v, want 2 and 1", report.Findings, report.Omitted)
	}
}

func TestCheckErrorSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, f.named("grant usage on schema tenant_a to public; grant usage on language plpgsql to {a}"))
	report, err := schemactx.Check(t.Context(), f.runtime(t), schemactx.CheckConfig{Roles: f.roles})
	check(t, err)
	var unsafe *schemactx.CheckError
	if !errors.As(report.Err(), &unsafe) || len(unsafe.Findings) != 1 || unsafe.Findings[0].Code != schemactx.CodeSchemaShared {
		t.Fatalf("got %v, want the finding to refuse alone", report.Err())
	}
	if !strings.Contains(unsafe.Error(), "REVOKE ALL ON schema tenant_a FROM PUBLIC") {
		t.Errorf("got %q, want the remedy in it", unsafe.Error())
	}
}

// Before Harden there are warnings, and no more: on managed services it stays so.
func TestCheckOfADatabaseThatIsNotHardenedWarns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	report, err := schemactx.Check(t.Context(), f.runtime(t), schemactx.CheckConfig{Roles: f.roles})
	check(t, err)
	check(t, report.Err())
	for _, finding := range report.Findings {
		if finding.Code != schemactx.CodeNotHardened || finding.Severity != schemactx.Warn {
			t.Errorf("found %s", finding)
		}
	}
	if len(report.Findings) != 5 {
		t.Errorf("found %v, want the four functions and plpgsql", report.Findings)
	}
}

// What is planted in public must not answer the questions.
func TestCheckIsNotFooledByPlantedFunctions(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, f.named("alter role {runtime} createrole; create function public.starts_with(text, text) returns bool language sql as 'select 1/0 = 1'"))
	run(t, f, f.named("create view public.pg_roles as select * from pg_catalog.pg_roles where false; alter role {runtime} set search_path = public, pg_catalog"))
	expectFound(t, "planted", f.found(t, schemactx.Roles), []string{refuse(schemactx.CodeLoginAttribute, f.roles.Runtime())})
}

func TestCheckReturnsErrors(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := schemactx.Check(ctx, f.runtime(t), schemactx.CheckConfig{Roles: f.roles})
	expectIs(t, err, context.Canceled)
	if _, err := schemactx.Check(t.Context(), nil, schemactx.CheckConfig{}); err == nil {
		t.Error("a nil pool was taken")
	}
}

// runtime is a pool of the runtime login.
func (f *fixture) runtime(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
}
