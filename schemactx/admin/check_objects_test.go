package admin_test

import (
	"testing"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestCheckFindsWhatTenantsMustNotHave(t *testing.T) {
	t.Parallel()
	attribute := []string{refuse(admin.CodeTenantAttribute, "{a}")}
	expectDefects(t, map[string]defect{
		"superuser":   {"alter role {a} superuser", "alter role {a} nosuperuser", attribute, nil},
		"bypassrls":   {"alter role {a} bypassrls", "alter role {a} nobypassrls", attribute, nil},
		"createrole":  {"alter role {a} createrole", "alter role {a} nocreaterole", attribute, nil},
		"createdb":    {"alter role {a} createdb", "alter role {a} nocreatedb", attribute, nil},
		"replication": {"alter role {a} replication", "alter role {a} noreplication", attribute, nil},
		"login": {
			"alter role {a} login", "alter role {a} nologin",
			[]string{refuse(admin.CodeTenantLogin, "{a}")},
			nil,
		},
		"login of a hashed name": {
			"alter role {long} login", "alter role {long} nologin",
			[]string{refuse(admin.CodeTenantLogin, "{long}")},
			nil,
		},
		"login of the public role": {
			"alter role {public} login", "alter role {public} nologin",
			[]string{refuse(admin.CodeTenantLogin, "{public}")},
			nil,
		},
		"member of another tenant's role": {
			"grant {b} to {a}", "revoke {b} from {a}",
			[]string{refuse(admin.CodeTenantMember, "{a}")},
			nil,
		},
		"owns a table": {
			"alter table tenant_a.notes owner to {a}", "alter table tenant_a.notes owner to {owner}",
			[]string{refuse(admin.CodeTenantOwns, "table tenant_a.notes")},
			nil,
		},
		"owns its schema": {
			"alter schema tenant_a owner to {a}",
			"alter schema tenant_a owner to {owner}; grant usage on schema tenant_a to {a}",
			[]string{refuse(admin.CodeTenantOwns, "schema tenant_a"), refuse(admin.CodeTenantCreate, "schema tenant_a")},
			nil,
		},
		"creates in its schema": {
			"grant create on schema tenant_a to {a}", "revoke create on schema tenant_a from {a}",
			[]string{refuse(admin.CodeTenantCreate, "schema tenant_a")},
			nil,
		},
		"creates schemas": {
			"grant create on database {db} to {a}", "revoke create on database {db} from {a}",
			[]string{refuse(admin.CodeTenantCreate, "database {db}")},
			nil,
		},
		"temporary objects": {
			"grant temporary on database {db} to {a}", "revoke temporary on database {db} from {a}",
			[]string{refuse(admin.CodeTemporary, "database {db}")},
			[]string{warn(admin.CodeTemporary, "database {db}")},
		},
		"rights on another tenant's table": {
			"grant select on tenant_b.notes to {a}", "revoke select on tenant_b.notes from {a}",
			[]string{refuse(admin.CodeTenantRights, "table tenant_b.notes")},
			nil,
		},
		"schema open to another tenant": {
			"grant usage on schema tenant_b to {a}", "revoke usage on schema tenant_b from {a}",
			[]string{refuse(admin.CodeSchemaShared, "schema tenant_b")},
			nil,
		},
		"schema open to everybody": {
			"grant usage on schema {long_schema} to public", "revoke usage on schema {long_schema} from public",
			[]string{refuse(admin.CodeSchemaShared, "schema {long_schema}")},
			nil,
		},
		"large object": {
			"select lo_create(4711); alter large object 4711 owner to {a}", "select lo_unlink(4711)",
			[]string{warn(admin.CodeLargeObject, "{a}")},
			nil,
		},
	})
}

func TestCheckFindsWhatTenantsCanUse(t *testing.T) {
	t.Parallel()
	hardenedRight := func(object string) []string { return []string{warn(admin.CodeNotHardened, object)} }
	definer := []string{warn(admin.CodeDefinerPath, "function public.d()")}
	view := []string{warn(admin.CodeViewRights, "view tenant_a.v")}
	function := []string{warn(admin.CodePlanted, "function lib.lower(text)")}
	operator := []string{warn(admin.CodePlanted, "operator lib.=(text,integer)")}
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
			"create function lib.d() returns int language sql security definer as 'select 1'; " +
				"revoke execute on function lib.d() from public",
			"drop function lib.d()",
			nil,
			nil,
		},
		"definer in a closed schema": {
			"create schema closed; create function closed.d() returns int language sql security definer as 'select 1'",
			"",
			nil,
			nil,
		},
		"view": {
			"create view tenant_a.v as select * from tenant_b.notes; grant select on tenant_a.v to {a}", invoker, view, nil,
		},
		"materialized view": {
			"create materialized view tenant_a.m as select * from tenant_b.notes; grant select on tenant_a.m to {a}",
			"drop materialized view tenant_a.m",
			[]string{warn(admin.CodeViewRights, "view tenant_a.m")},
			nil,
		},
		"view in a shared schema": {
			"create view lib.v as select * from tenant_b.notes; grant select on lib.v to public",
			"revoke select on lib.v from public",
			[]string{warn(admin.CodeViewRights, "view lib.v")},
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
	found := func() []string { return []string{warn(admin.CodeSessionFunction, "function lib.f()")} }
	defects := map[string]defect{}
	for name, body := range map[string]string{
		"set_config":                      "perform set_config('search_path', 'x', false);",
		"set":                             "perform 1; set search_path = x;",
		"set first":                       "SET search_path = x;",
		"set in an if":                    "if true then set local role x; end if;",
		"reset":                           "reset all;",
		"discard":                         "discard all;",
		"listen":                          "listen x;",
		"lock":                            "perform pg_advisory_lock(1);",
		"try lock":                        "perform pg_try_advisory_lock_shared(1);",
		"execute":                         "execute format('select %s', 1);",
		"role for the transaction":        "perform set_config('role', 'x', true);",
		"role in capitals":                "perform pg_catalog.set_config ( E'ROLE', 'x', true);",
		"session authorization":           "perform set_config('session_authorization', 'x', is_local => true);",
		"path for the transaction":        "perform set_config('search_path', 'x', true);",
		"a setting that it puts together": "perform set_config('ro' || 'le', 'x', true);",
		"a setting that it is given": "perform set_config(setting_name => 'role', " +
			"new_value => 'x', is_local => true);",
		"pg_settings":                       "update pg_settings set setting = 'x' where name = 'role';",
		"pg_settings by its qualified name": "update pg_catalog.pg_settings as s set setting = 'x' where name = 'role';",
		"after comment":                     "/* a */ set search_path = x; /* b */",
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
		[]string{warn(admin.CodeSessionFunction, "function lib.p()")},
		[]string{warn(admin.CodeSessionFunction, "function lib.p()")},
	}
	defects["trigger without EXECUTE"] = defect{
		"create function lib.f() returns trigger language plpgsql " +
			"as $$ begin set search_path = x; return new; end $$; " + kept,
		"drop function lib.f()",
		found(),
		found(),
	}
	defects["runs as another role"] = defect{
		"create function lib.f() returns int language sql set role = {b} as 'select 1'",
		"alter function lib.f() reset role; drop function lib.f()",
		found(),
		found(),
	}
	defects["of an extension"] = defect{
		"create extension dblink schema lib; create role {prefix}_dev; " + wrapped("reset all;") +
			"; alter function lib.f() owner to {prefix}_dev; alter extension dblink add function lib.f()",
		"drop extension dblink",
		[]string{warn(admin.CodeSessionFunction, "extension dblink")},
		[]string{warn(admin.CodeSessionFunction, "extension dblink")},
	}
	expectDefects(t, defects)
}
