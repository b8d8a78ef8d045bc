package modeltest

import (
	"fmt"
	"strings"
)

// leftovers are the kinds of state that the function leave can leave behind or change; see library.
var leftovers = []string{
	"setting", "lock", "listen", "cursor", "temp", "sequence", "prepare", "deallocate", "lost lock",
}

// scopeChanges are the ways in which the function leave can change the scope itself.
var scopeChanges = []string{"role", "local role", "path", "local path"}

var allLeftovers = append(append([]string{}, leftovers...), scopeChanges...)

// tables returns the tables of every schema. A row of ledger contains the scope in which it was
// written. A trigger that waits for COMMIT writes the scope in which it runs into trail, which it
// finds by the search path.
func tables(schema string) string {
	return fmt.Sprintf(`
		create table %[1]s.notes (id int primary key, body text not null);
		insert into %[1]s.notes values (1, '%[1]s');
		create table %[1]s.ledger (id bigint primary key, role text default current_user,
			path text default current_setting('search_path'),
			unit text default coalesce(current_setting('app.unit', true), ''));
		insert into %[1]s.ledger values (-1, 'seed', 'seed');
		create table %[1]s.trail (id bigint, kind text, role text, path text,
			unit text default coalesce(current_setting('app.unit', true), ''));
		create constraint trigger at_commit after insert on %[1]s.ledger deferrable initially deferred
			for each row when (new.id > 0) execute function lib.at_commit();
		create table %[1]s.late (id bigint unique deferrable initially deferred);
		insert into %[1]s.late values (-1);
		create table %[1]s.calls (what text);
		create trigger now before insert on %[1]s.calls for each row when (new.what like 'now %%')
			execute function lib.call();
		create constraint trigger later after insert on %[1]s.calls deferrable initially deferred
			for each row when (new.what like 'later %%') execute function lib.call();
		create table %[1]s.shape (a int, b int);
		insert into %[1]s.shape values (1, 2);
		create type %[1]s.mood as enum ('low', 'high in %[1]s');
		create type %[1]s.home as (%[2]s);
		create table %[1]s.people (moods %[1]s.mood[], home %[1]s.home);
		insert into %[1]s.people values ('{low,high in %[1]s}',
			row(%[3]s)::%[1]s.home)`, schema, homeOf[schema].columns, homeOf[schema].values)
}

// homeOf has the columns and the value of the type home, whose columns differ between the schemas.
var homeOf = map[string]struct {
	columns, values string
	value           map[string]any
}{
	rich:   {"street text, no int", "'rich', 1", map[string]any{"street": "rich", "no": int32(1)}},
	remote: {"no int, street text", "2, 'remote'", map[string]any{"street": "remote", "no": int32(2)}},
	plain:  {"street text", "'plain'", map[string]any{"street": "plain"}},
	public: {"no text, street int", "'public', 4", map[string]any{"street": int32(4), "no": "public"}},
}

// library returns the functions that leave state, and those that look for it. All take the tenant
// from the search path.
func (w *world) library(schema string) string {
	sql := `
		create function SCHEMA.temporary(me text) returns boolean language plpgsql security definer as $f$
		begin
			execute format('create temporary table if not exists temp_%s (x int)', me);
			return true;
		end $f$;
		create function SCHEMA.leave(what text) returns boolean language plpgsql volatile as $f$
		declare
			me text := current_schema();
			n int := array_position(array[TENANTS], me);
			other text := case me when 'rich' then 'remote' else 'rich' end;
			other_role text := case me when 'rich' then 'ROLE_REMOTE' else 'ROLE_RICH' end;
		begin
			case what
			when 'setting' then
				execute format('set app.mark = %L', me);
				execute format('set timezone = %L', 'Etc/GMT+' || n);
				execute format('set work_mem = %L', (1000 + n) || 'kB');
			when 'lock' then perform pg_try_advisory_lock(4711, n);
			when 'lost lock' then
				perform pg_try_advisory_lock(4711, n);
				raise exception 'mine';
			when 'listen' then execute format('listen ch_%s', me);
			when 'cursor' then
				if not exists (select from pg_cursors where name = 'c_' || me) then
					execute format('declare c_%s cursor with hold for select 1', me);
				end if;
			when 'temp' then perform SCHEMA.temporary(me);
			when 'sequence' then perform nextval('lib.seq_' || me);
			when 'prepare' then
				if not exists (select from pg_prepared_statements where name = 'p_' || me) then
					execute format('prepare p_%s as select 1', me);
				end if;
			when 'deallocate' then execute 'deallocate all';
			when 'role' then execute format('set role %I', other_role);
			when 'local role' then execute format('set local role %I', other_role);
			when 'path' then execute format('set search_path = %I', other);
			when 'local path' then execute format('set local search_path = %I', other);
			end case;
			return true;
		end $f$;
		create function SCHEMA.leave_as_operator(a text, b text) returns boolean language sql volatile
			as 'select SCHEMA.leave(a)';
		create operator SCHEMA.<~> (leftarg = text, rightarg = text, function = SCHEMA.leave_as_operator);
		create function SCHEMA.leave_in_trigger() returns trigger language plpgsql as $f$
		begin
			perform SCHEMA.leave(new.what);
			return null;
		end $f$;`
	if schema == "lib" {
		sql += `
		create procedure lib.leave_by_call(what text) language plpgsql as $f$ begin perform lib.leave(what); end $f$;
		create function lib.at_commit() returns trigger language plpgsql as $f$
		begin
			insert into trail values (new.id, 'deferred', current_user, current_setting('search_path'));
			return null;
		end $f$;
		create function lib.held(id bigint) returns bigint language plpgsql as $f$
		begin
			insert into trail values (id, 'held', current_user, current_setting('search_path'));
			return id;
		end $f$;
		create function lib.call() returns trigger language plpgsql as $f$
		begin
			raise notice '%', new.what;
			perform pg_sleep(120); -- until what hears the notice ends it
			return new;
		end $f$;
		create function lib.last() returns bigint language plpgsql as $f$
		begin
			return lastval();
		exception when object_not_in_prerequisite_state then return 0;
		end $f$;
		create view lib.session_state as select current_user::text as who, session_user::text as login,
			current_setting('search_path') as path,
			coalesce(current_setting('app.mark', true), '') as mark, coalesce(current_setting('app.unit', true), '') as unit,
			array(select name || '=' || setting from pg_settings where source = 'session' and name in ('TimeZone', 'work_mem'))
				as settings,
			array(select objid::int from pg_locks where locktype = 'advisory' and classid = 4711 and pid = pg_backend_pid())
				as locks,
			array(select name from pg_cursors where is_holdable) as cursors,
			array(select relname::text from pg_class where relnamespace = pg_my_temp_schema() and relkind = 'r') as temps,
			array(select pg_listening_channels()) as channels,
			array(select name from pg_prepared_statements where from_sql) as prepared,
			lib.last() as last;`
		for _, tenant := range served {
			sql += fmt.Sprintf("\ncreate sequence lib.seq_%s minvalue %d;", tenant, number(tenant)*1_000_000_000)
		}
	}
	return strings.NewReplacer("SCHEMA", schema, "TENANTS", "'"+strings.Join(served, "', '")+"'",
		"ROLE_RICH", w.roles.Tenant(rich), "ROLE_REMOTE", w.roles.Tenant(remote)).Replace(sql)
}

// hidden returns the objects of a schema that call functions of a schema, which may be another one.
func hidden(schema, library string) string {
	sql := `
		create domain SCHEMA.left_behind as text check (LIBRARY.leave(value));
		create table SCHEMA.checked (what text check (LIBRARY.leave(what)));
		create table SCHEMA.triggered (what text);
		create trigger t before insert on SCHEMA.triggered for each row execute function LIBRARY.leave_in_trigger();`
	for i, what := range allLeftovers {
		sql += fmt.Sprintf(`
		create view SCHEMA.v_%[1]d as select LIBRARY.leave('%[2]s') as left_behind;
		create table SCHEMA.d_%[1]d (x int, y boolean default LIBRARY.leave('%[2]s'));
		create table SCHEMA.g_%[1]d (x int); insert into SCHEMA.g_%[1]d values (1);
		alter table SCHEMA.g_%[1]d enable row level security;
		alter table SCHEMA.g_%[1]d force row level security;
		create policy p on SCHEMA.g_%[1]d using (LIBRARY.leave('%[2]s'));`, i, what)
	}
	return strings.NewReplacer("SCHEMA", schema, "LIBRARY", library).Replace(sql)
}

// notations returns functions that a statement can call without naming them directSQL: as a column,
// as an overload of a built-in function, or by a cast.
func notations(schema string) string {
	return strings.ReplaceAll(`
		create table SCHEMA.whats (what text); insert into SCHEMA.whats values ('`+strings.Join(allLeftovers, "'), ('")+`');
		create function SCHEMA.left_behind(w SCHEMA.whats) returns boolean language sql volatile
			as 'select SCHEMA.leave(w.what)';
		create function SCHEMA.upper(w SCHEMA.whats) returns boolean language sql volatile as 'select SCHEMA.leave(w.what)';
		create type SCHEMA.boxed as (what text);
		create function SCHEMA.box(what text) returns SCHEMA.boxed language plpgsql volatile as $f$
		begin
			perform SCHEMA.leave(what);
			return row(what)::SCHEMA.boxed;
		end $f$;
		create cast (text as SCHEMA.boxed) with function SCHEMA.box(text);`, "SCHEMA", schema)
}
