package admin_test

import (
	"testing"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// The cases cover every kind of object that refers to another by OID, so that neither a search path
// nor USAGE is needed. The object is in a tenant's schema or in a shared one, and refers to an
// object of another tenant.
func TestCheckFindsWhatUsesObjectsOfAnotherTenant(t *testing.T) {
	t.Parallel()
	// Tenant a can read what b's function reads, through any object of a that calls it.
	const secret = "create function tenant_b.secret(x text default '') returns text language sql immutable security " +
		"definer " +
		"set search_path = tenant_b as $$ select coalesce(max(body), '') from notes $$;" +
		"create function tenant_b.yes(x text) returns bool language sql immutable as 'select true';"
	const gone = "; drop function tenant_b.secret(text) cascade; drop function tenant_b.yes(text) cascade"
	defects := map[string]defect{}
	for name, d := range map[string]struct{ object, plant, repair string }{
		"default": {
			"default value for column body of table tenant_a.notes",
			secret + "alter table tenant_a.notes alter body set default tenant_b.secret()",
			"alter table tenant_a.notes alter body drop default" + gone,
		},
		"generated column": {
			"default value for column more of table tenant_a.notes",
			secret + "alter table tenant_a.notes add more text generated always as (tenant_b.secret(body)) stored",
			"alter table tenant_a.notes drop more" + gone,
		},
		"sequence": {
			"default value for column n of table tenant_a.notes",
			"create sequence tenant_b.n; alter table tenant_a.notes add n bigint default nextval('tenant_b.n')",
			"alter table tenant_a.notes drop n; drop sequence tenant_b.n",
		},
		"check": {
			"constraint c on table tenant_a.notes",
			secret + "alter table tenant_a.notes add constraint c check (tenant_b.yes(body))", "select 1" + gone,
		},
		"check of a shared table": {
			"constraint c on table lib.x", secret + "create table lib.x (body text, constraint c check (tenant_b.yes(body)))",
			"drop table lib.x" + gone,
		},
		"index expression": {
			"index tenant_a.i", secret + "create index i on tenant_a.notes (tenant_b.secret(body))",
			"drop index tenant_a.i" + gone,
		},
		"index condition": {
			"index tenant_a.i", secret + "create index i on tenant_a.notes (body) where tenant_b.yes(body)",
			"drop index tenant_a.i" + gone,
		},
		"statistics": {
			"statistics object tenant_a.s",
			secret + "create statistics tenant_a.s on (tenant_b.secret(body)) from tenant_a.notes",
			"drop statistics tenant_a.s" + gone,
		},
		"statistics of another tenant's table": {
			"statistics object tenant_a.s", "create statistics tenant_a.s on id, body from tenant_b.notes",
			"drop statistics tenant_a.s",
		},
		"policy that calls": {
			"policy p on table tenant_a.notes", secret + "create policy p on tenant_a.notes using (tenant_b.yes(body))",
			"drop policy p on tenant_a.notes" + gone,
		},
		"policy that reads": {
			"policy p on table tenant_a.notes",
			"create policy p on tenant_a.notes using (exists (select from tenant_b.notes n where n.id = notes.id))",
			"drop policy p on tenant_a.notes",
		},
		"view that calls": {
			"rule _RETURN on view tenant_a.v",
			secret + "create view tenant_a.v as select tenant_b.secret() as body; grant select on tenant_a.v to {a}",
			"drop view tenant_a.v" + gone,
		},
		"materialized view that calls": {
			"rule _RETURN on materialized view tenant_a.v",
			secret + "create materialized view tenant_a.v as select tenant_b.secret() as body",
			"drop materialized view tenant_a.v" + gone,
		},
		"rule that calls": {
			"rule r on table tenant_a.notes",
			secret + "create rule r as on delete to tenant_a.notes where tenant_b.yes(old.body) do instead nothing",
			"drop rule r on tenant_a.notes" + gone,
		},
		"trigger condition": {
			"trigger t on table tenant_a.notes",
			secret + "create function tenant_a.t() returns trigger language plpgsql as 'begin return new; end';" +
				"create trigger t before insert on tenant_a.notes for each row when (tenant_b.yes(new.body)) execute function " +
				"tenant_a.t()",
			"drop function tenant_a.t() cascade" + gone,
		},
		"function with a standard body": {
			"function tenant_a.f()",
			secret + "create function tenant_a.f() returns text begin atomic select tenant_b.secret(); end",
			"drop function tenant_a.f()" + gone,
		},
		"default of an argument": {
			"function tenant_a.f(text)",
			secret + "create function tenant_a.f(x text default tenant_b.secret()) returns text language sql as 'select x'",
			"drop function tenant_a.f(text)" + gone,
		},
		"aggregate": {
			"function tenant_a.f(text)",
			"create function tenant_b.step(text, text) returns text language sql security definer set search_path = tenant_b " +
				"as 'select max(body) from notes';" +
				"create aggregate tenant_a.f(text) (sfunc = tenant_b.step, stype = text)",
			"drop aggregate tenant_a.f(text); drop function tenant_b.step(text, text)",
		},
		"operator": {
			"operator tenant_a.@@@(NONE,text)",
			secret + "create operator tenant_a.@@@ (rightarg = text, function = tenant_b.secret)",
			"drop operator tenant_a.@@@ (none, text)" + gone,
		},
		"domain": {
			"domain tenant_a.d", secret + "create domain tenant_a.d text constraint c check (tenant_b.yes(value))",
			"drop domain tenant_a.d" + gone,
		},
		"domain over another": {
			"type tenant_a.d", "create domain tenant_b.base text; create domain tenant_a.d tenant_b.base",
			"drop domain tenant_b.base cascade",
		},
		"column of another tenant's type": {
			"column colour of table tenant_a.notes",
			"create type tenant_b.colour as enum ('red'); alter table tenant_a.notes add colour tenant_b.colour[]",
			"alter table tenant_a.notes drop colour; drop type tenant_b.colour",
		},
		"composite type": {
			"column n of composite type tenant_a.t", "create type tenant_a.t as (n tenant_b.notes)", "drop type tenant_a.t",
		},
		"cast": {
			"cast from bit to date",
			"create function tenant_b.c(bit) returns date language sql as 'select current_date'; " +
				"create cast (bit as date) with function tenant_b.c(bit)",
			"drop function tenant_b.c(bit) cascade",
		},
		"event trigger": {
			"event trigger pgtenant_e",
			"create function tenant_b.e() returns event_trigger language plpgsql as 'begin end'; " +
				"create event trigger pgtenant_e on sql_drop execute function tenant_b.e()",
			"drop event trigger pgtenant_e; drop function tenant_b.e()",
		},
	} {
		defects[name] = defect{
			d.plant, d.repair,
			[]string{refuse(admin.CodeTenantLink, d.object)},
			[]string{warn(admin.CodeTenantLink, d.object)},
		}
	}
	for name, d := range map[string][2]string{
		"of its own": {
			"create type tenant_a.colour as enum ('red'); create function tenant_a.c(date) returns tenant_a.colour language " +
				"sql as 'select null::tenant_a.colour';" +
				"create cast (date as tenant_a.colour) with function tenant_a.c(date); create domain tenant_a.d text; " +
				"create sequence tenant_a.n;" +
				"create function tenant_a.yes(x text) returns bool language sql immutable as 'select true';" +
				"alter table tenant_a.notes add colour tenant_a.colour default 'red', add d tenant_a.d check (tenant_a.yes(d)), " +
				"add n int default nextval('tenant_a.n');" +
				"create index i on tenant_a.notes (tenant_a.yes(body)); create statistics tenant_a.s on id, " +
				"body from tenant_a.notes;" +
				"create policy p on tenant_a.notes using (exists (select from tenant_a.notes n where tenant_a.yes(n.body)))",
			"drop policy p on tenant_a.notes; drop statistics tenant_a.s; " +
				"alter table tenant_a.notes drop colour, drop d, drop n; drop type tenant_a.colour cascade;" +
				"drop domain tenant_a.d; drop sequence tenant_a.n; drop function tenant_a.yes(text) cascade",
		},
		"of a shared schema": {
			"create type lib.colour as enum ('red'); create function lib.yes(x text) returns bool language sql immutable as " +
				"'select true';" +
				"alter table tenant_a.notes add colour lib.colour default 'red', add check (lib.yes(body)); " +
				"alter table tenant_b.notes add colour lib.colour",
			"alter table tenant_a.notes drop colour; alter table tenant_b.notes drop colour; drop type lib.colour; " +
				"drop function lib.yes(text) cascade",
		},
	} {
		defects[name] = defect{d[0], d[1], nil, nil}
	}
	expectDefects(t, defects)
}

func TestCheckFindsRightsThatAreGrantedElsewhere(t *testing.T) {
	t.Parallel()
	found := func(object string) []string { return []string{refuse(admin.CodeTenantRights, object)} }
	expectDefects(t, map[string]defect{
		"on a column": {
			"grant select (body) on tenant_b.notes to {a}",
			"revoke select (body) on tenant_b.notes from {a}",
			found("table tenant_b.notes"),
			nil,
		},
		"on a column and the table": {
			"grant update (body) on tenant_b.notes to {a}; grant select on tenant_b.notes to {a}",
			"revoke all on tenant_b.notes from {a}",
			found("table tenant_b.notes"),
			nil,
		},
		"on a sequence": {
			"create sequence tenant_b.n; grant usage on sequence tenant_b.n to {a}",
			"drop sequence tenant_b.n",
			found("table tenant_b.n"),
			nil,
		},
		"by default, in a schema": {
			"alter default privileges for role {owner} in schema tenant_b grant select on tables to {a}",
			"alter default privileges for role {owner} in schema tenant_b revoke select on tables from {a}",
			found("default privileges of {owner} in schema tenant_b"), nil,
		},
		"by default, everywhere": {
			"alter default privileges for role {owner} grant usage on sequences to {public}",
			"alter default privileges for role {owner} revoke usage on sequences from {public}",
			found("default privileges of {owner}"),
			nil,
		},
		"by default, on schemas": {
			"alter default privileges for role {owner} grant usage on schemas to {a}",
			"alter default privileges for role {owner} revoke usage on schemas from {a}",
			found("default privileges of {owner}"),
			nil,
		},
		"by default, in a shared schema": {
			"alter default privileges for role {owner} in schema lib grant select on tables to {a}",
			"alter default privileges for role {owner} in schema lib revoke select on tables from {a}", nil, nil,
		},
	})
}
