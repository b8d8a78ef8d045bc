package admin_test

import (
	"testing"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// The cases cover every kind of link between tenants that an owner can make, and similar objects
// that are no link.
func TestCheckFindsLinksBetweenTenants(t *testing.T) {
	t.Parallel()
	link := func(object string) ([]string, []string) {
		return []string{refuse(admin.CodeTenantLink, object)}, []string{warn(admin.CodeTenantLink, object)}
	}
	defects := map[string]defect{
		"foreign key to a shared table": {
			"create table lib.country (code text primary key); create table tenant_a.address (country text references " +
				"lib.country)",
			"drop table tenant_a.address, lib.country",
			nil,
			nil,
		},
		"partitions of its own": {
			"create table tenant_a.log (at int) partition by range (at); " +
				"create table tenant_a.log1 partition of tenant_a.log default",
			"drop table tenant_a.log",
			nil,
			nil,
		},
		"rule and trigger of its own": {
			"create rule r as on delete to tenant_a.notes do instead nothing;" +
				"create function tenant_a.t() returns trigger language plpgsql as 'begin return new; end';" +
				"create trigger t before insert on tenant_a.notes for each row execute function tenant_a.t()",
			"drop rule r on tenant_a.notes; drop trigger t on tenant_a.notes; drop function tenant_a.t()", nil, nil,
		},
	}
	for name, d := range map[string]struct{ object, plant, repair string }{
		"inheritance": {
			"table tenant_b.child", "create table tenant_b.child () inherits (tenant_a.notes)", "drop table tenant_b.child",
		},
		"inheritance by a shared table": {
			"table tenant_b.child", "create table lib.every (body text); create table tenant_b.child () inherits (lib.every)",
			"drop table lib.every cascade",
		},
		"a tenant's rows in a shared table": {
			"table lib.child", "create table lib.child () inherits (tenant_a.notes)", "drop table lib.child",
		},
		"partition": {
			"table tenant_b.part",
			"create table tenant_a.whole (id int) partition by list (id); " +
				"create table tenant_b.part partition of tenant_a.whole default",
			"drop table tenant_a.whole",
		},
		"nested partition of a shared table": {
			"table tenant_b.leaf",
			"create table lib.whole (id int) partition by hash (id);" +
				"create table lib.half partition of lib.whole for values with (modulus 1, remainder 0) partition by range (id);" +
				"create table tenant_b.leaf partition of lib.half for values from (1) to (2)",
			"drop table lib.whole",
		},
		"foreign key": {
			"table tenant_a.guess", "create table tenant_a.guess (id int references tenant_b.notes)",
			"drop table tenant_a.guess",
		},
		"foreign key from a shared table": {
			"table lib.guess", "create table lib.guess (id int, foreign key (id) references tenant_b.notes not valid)",
			"drop table lib.guess",
		},
		"rule": {
			"table tenant_a.notes",
			"create rule r as on insert to tenant_a.notes do also insert into tenant_b.notes values (new.id, new.body)",
			"drop rule r on tenant_a.notes",
		},
		"rule with a condition": {
			"table lib.asked",
			"create table lib.asked (id int); create rule r as on insert to lib.asked where exists (select from " +
				"tenant_b.notes n where n.id = new.id) do instead nothing",
			"drop table lib.asked",
		},
		"trigger": {
			"table tenant_a.notes",
			"create function tenant_b.t() returns trigger language plpgsql as 'begin return new; end';" +
				"create trigger t before insert on tenant_a.notes for each row execute function tenant_b.t()",
			"drop function tenant_b.t() cascade",
		},
		"constraint trigger on a shared table": {
			"table lib.watched",
			"create table lib.watched (id int); create function {long_schema}.t() returns trigger language plpgsql " +
				"as 'begin return new; end';" +
				"create constraint trigger t after insert on lib.watched deferrable for each row " +
				"execute function {long_schema}.t()",
			"drop table lib.watched; drop function {long_schema}.t()",
		},
	} {
		want, pathOnly := link(d.object)
		defects[name] = defect{d.plant, d.repair, want, pathOnly}
	}
	expectDefects(t, defects)
}

func TestCheckFindsDefinerFunctionsOfAnotherTenant(t *testing.T) {
	t.Parallel()
	defects := map[string]defect{}
	found := func() []string { return []string{warn(admin.CodeDefinerTenant, "function lib.f()")} }
	const safe = " security definer set search_path = pg_catalog, pg_temp"
	for name, function := range map[string]string{
		"path": "language sql security definer set search_path = tenant_b as 'select body from notes'",
		"path of several": "language sql security definer set search_path = \"$user\", lib, \"tenant_b\", " +
			"pg_temp as 'select null::text'",
		"path of a long name":   "language sql security definer set search_path = {long_schema} as 'select null::text'",
		"qualified":             "language sql" + safe + " as 'select body from tenant_b.notes'",
		"qualified and quoted":  `language sql` + safe + ` as 'select body from "tenant_b" . notes'`,
		"qualified in capitals": "language sql" + safe + " as 'select body from TENANT_B.notes'",
		"put together":          "language plpgsql" + safe + " as $$ declare s text := 'tenant_b'; begin return s; end $$",
		"local path": "language plpgsql" + safe + " as $$ begin perform set_config('search_path', 'x, " +
			"tenant_b', true); return null; end $$",
	} {
		want := found()
		if name == "local path" {
			want = append(want, warn(admin.CodeSessionFunction, "function lib.f()"))
		}
		defects[name] = defect{"create function lib.f() returns text " + function, "drop function lib.f()", want, want}
	}
	defects["standard body"] = defect{
		"create function lib.f() returns text" + safe + " begin atomic select body from tenant_b.notes; end",
		"drop function lib.f()",
		found(),
		found(),
	}
	for name, function := range map[string]string{
		"kept to the owner": "lib.f() returns text language sql" + safe + " as 'select body from tenant_b.notes'; revoke " +
			"execute on function lib.f() from public",
		"with its own rights": "lib.f() returns text language sql as 'select body from tenant_b.notes'",
		"of its own schema": "tenant_b.f() returns text language sql security definer set search_path = tenant_b as " +
			"'select body from tenant_b.notes'",
		"in a comment": "lib.f() returns text language sql" + safe + " as $$ select 'x' -- as tenant_b.notes has\n " +
			"/* 'tenant_b' */ $$",
	} {
		defects[name] = defect{
			"create function " + function,
			"drop function if exists lib.f(); drop function if exists tenant_b.f()",
			nil,
			nil,
		}
	}
	expectDefects(t, defects)
}

func TestCheckFindsForeignData(t *testing.T) {
	t.Parallel()
	found := func(object string) []string { return []string{warn(admin.CodeForeignData, object)} }
	const wrapper = "create foreign data wrapper w; create server s foreign data wrapper w; "
	const gone = "drop foreign data wrapper w cascade"
	table := wrapper + "create foreign table tenant_a.far (id int) server s; "
	expectDefects(t, map[string]defect{
		"table": {
			table + "grant select on tenant_a.far to {a}",
			gone,
			found("foreign table tenant_a.far"),
			found("foreign table tenant_a.far"),
		},
		"table for everybody": {
			wrapper + "create foreign table lib.far (id int) server s; grant insert on lib.far to public", gone,
			found("foreign table lib.far"), found("foreign table lib.far"),
		},
		"table that no tenant may read": {
			table + "revoke all on tenant_a.far from {a}",
			gone,
			nil,
			found("foreign table tenant_a.far"),
		},
		"user mapping for everybody": {
			wrapper + "create user mapping for public server s",
			gone,
			found("user mapping for PUBLIC"),
			found("user mapping for PUBLIC"),
		},
		"user mapping for a tenant": {
			wrapper + "create user mapping for {b} server s", gone,
			append(found("user mapping for {b}"), refuse(admin.CodeTenantOwns, "user mapping for {b} on server s")), nil,
		},
		"user mapping for the owner": {wrapper + "create user mapping for {owner} server s", gone, nil, nil},
		"server for a tenant": {
			wrapper + "grant usage on foreign server s to {a}",
			gone,
			found("foreign server s"),
			nil,
		},
		"server for everybody": {
			wrapper + "grant usage on foreign server s to public",
			gone,
			found("foreign server s"),
			found("foreign server s"),
		},
	})
}

// A view reads a second view. The tenant can read the first, which is in its own schema, and may
// not read the second, which reads the other tenant.
func TestCheckFindsViewsBehindViews(t *testing.T) {
	t.Parallel()
	view := func() []string { return []string{warn(admin.CodeViewRights, "view tenant_a.w")} }
	defects := map[string]defect{
		"not granted": {
			"create view tenant_a.w as select * from tenant_b.notes; revoke all on tenant_a.w from {a};" +
				"create view tenant_a.v as select * from tenant_a.w; grant select on tenant_a.v to {a}",
			"drop view tenant_a.w cascade", view(), nil,
		},
	}
	if pgtest.Version(t) >= 15 {
		defects["with the caller's rights, called by a view"] = defect{
			"create view tenant_a.w with (security_invoker) as select * from tenant_b.notes;" +
				"create view tenant_a.v as select * from tenant_a.w; grant select on tenant_a.v to {a}",
			"drop view tenant_a.w cascade", view(), nil,
		}
		defects["both with the caller's rights"] = defect{
			"create view tenant_a.w with (security_invoker) as select * from tenant_b.notes;" +
				"create view tenant_a.v with (security_invoker) as select * from tenant_a.w; grant select on tenant_a.v to {a}",
			"drop view tenant_a.w cascade", nil, nil,
		}
	}
	expectDefects(t, defects)
}
