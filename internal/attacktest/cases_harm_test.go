package attacktest

import (
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// Rows 56 to 70: harm without reading, and what all sessions share.
var harmAttacks = []attack{
	{
		row: 56, title: "change the definition of b's tables", variants: true, run: changes,
		sql: []string{
			"comment on table tenant_b.secrets is 'a was here'",
			"analyze tenant_b.secrets",
			"drop table tenant_b.secrets",
			"alter table tenant_b.secrets rename to mine",
			"drop schema tenant_b cascade",
			"create index on tenant_b.secrets (body)",
			"grant select on tenant_b.secrets to public",
			"alter default privileges for role OWNER in schema tenant_b grant select on tables to public",
		},
		want:    wants{leaks, "42501", "42501", "42501", "42501"},
		follows: "The login of the service must own nothing.",
	},
	{
		row: 57, title: "b's sequences", variants: true, run: changes,
		sql: []string{
			"select setval('tenant_b.items_id_seq', 1)",
			"select nextval('tenant_b.items_id_seq')",
			"select setval(oid, 1) from pg_class where relname = 'items_id_seq' and relnamespace = (select oid from " +
				"pg_namespace where nspname = 'tenant_b')",
			"select nextval(oid) from pg_class where relname = 'items_id_seq' and relnamespace = (select oid from " +
				"pg_namespace where nspname = 'tenant_b')",
		},
		want:    butPathOnly("42501"),
		follows: "Every role with privileges on a sequence can change it.",
	},
	{
		row: 58, title: "cancel or end b's sessions", variants: true, run: kills,
		sql: []string{
			"select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and pid <> " +
				"pg_backend_pid() and backend_type is distinct from 'autovacuum worker' and usename <> 'postgres' and usename <> " +
				"'OWNER'",
			"select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> " +
				"pg_backend_pid() and backend_type is distinct from 'autovacuum worker' and usename <> 'postgres' and usename <> " +
				"'OWNER'",
		},
		want:    butPathOnly("42501"),
		follows: "A login may end all of its own sessions.",
	},
	{
		row: 59, title: "lock b's table or row", variants: true, run: locksOut,
		sql:     []string{"lock table tenant_b.secrets", "select body from tenant_b.secrets for update"},
		want:    butPathOnly("42501"),
		follows: "The search path alone isolates only unqualified names.",
	},
	{
		row:   60,
		title: "take b's advisory lock",
		run:   hinders,
		sql:   []string{"select pg_advisory_xact_lock(42)", "select pg_try_advisory_xact_lock(42)"},
		want:  everywhere(leaks),
		follows: "Advisory locks belong to the database: a tenant that can write SQL can block programs that rely on " +
			"them. This library does not rely on them: package tenancy keeps its locks in rows, and Setup and package " +
			"migrate do not wait for a lock of a role without their privileges.",
	},
	{
		row:      61,
		title:    "forge a notification",
		variants: true,
		run:      forges,
		sql:      []string{"select pg_notify('gossip', 'a was here')", "notify gossip, 'a was here'"},
		want:     everywhere(leaks),
		follows: "Every role that may connect can notify every channel: a listener must treat a notification as a hint " +
			"and read the data itself.",
	},
	{
		row:   61,
		title: "listen in a DO block, on a connection of its own",
		run:   overhears,
		sql:   []string{"do $$ begin execute 'listen gossip'; end $$", "select pg_notify('gossip', body) from secrets"},
		want:  wants{leaks, leaks, "42501", leaks, "42501"},
		follows: "Every role that may run a DO block can listen to every channel: a notification should say that " +
			"something has changed, and not what.",
	},
	{
		row: 62, title: "settings of the login for all later connections", variants: true, run: marksLogin,
		sql: []string{
			"alter role session_user set app.mark = 'a was here'", "alter role LOGIN set app.mark = 'a was here'",
			"alter role all set app.mark = 'a was here'",
		},
		want: everywhere(stopped),
	},
	{
		row: 63, title: "files and slots of the server", variants: true, run: reads,
		sql: []string{
			"select pg_read_file('PG_VERSION')",
			"select pg_ls_dir('.')::text",
			"select lo_import('/etc/passwd')",
			"select lo_export(1, '/dev/null')",
			"select pg_create_logical_replication_slot('s', 'pgoutput')",
		},
		want: everywhere("42501"),
	},
	{
		row: 63, title: "COPY to files and programs", variants: true, run: reads,
		sql:  []string{"copy secrets to '/dev/null'", "copy secrets to program 'true'", "copy (select 1) to program 'true'"},
		want: everywhere("ErrCopy"),
	},
	{
		row: 63, title: "LOAD a library", variants: true, run: reads,
		sql:  []string{"load 'auto_explain'"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 63, title: "CREATE EXTENSION", variants: true, run: reads,
		sql:  []string{"create extension dblink"},
		want: everywhere(stopped),
	},
	{
		row: 64, title: "forget the library's statements", run: breaksB,
		sql:  []string{"deallocate all", "select body from secrets"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 64, title: "forget the library's statements, in a DO block", run: breaksB,
		sql:  []string{"do $$ begin execute 'deallocate all'; end $$", "select body from secrets"},
		want: wants{nothing, nothing, "42501", nothing, "42501"},
	},
	{
		row: 64, title: "take the names of the library's statements, in a DO block", run: breaksB,
		sql: []string{
			"do $$ begin for i in 1..99 loop begin execute 'prepare pgtenant_' || i || ' as select 1'; " +
				"exception when others then end; end loop; end $$",
			"select body from secrets where true",
		},
		want: wants{nothing, nothing, "42501", nothing, "42501"},
	},
	{
		row: 65, title: "replace the library's scope statement, in a DO block", run: capturesB,
		sql: []string{
			`do $$ declare s record; begin
				for s in select * from pg_prepared_statements where statement ~ 'search_path' and statement !~ 'deallocate' loop
					execute format('deallocate %I', s.name);
					execute format('prepare %I(%s) as select set_config(''search_path'', ''tenant_a'', true),
						set_config(''role'', ''ROLE_A'', true)', s.name, array_to_string(s.parameter_types, ','));
				end loop;
			end $$`,
			"insert into secrets values ('private to b')",
		},
		want: wants{nothing, nothing, "42501", nothing, "42501"},
	},
	{
		row: 66, title: "close the library's portals", variants: true, run: breaksB,
		sql:  []string{"close all"},
		want: everywhere(nothing),
	},
	{
		row: 67, title: "hold the pool's connections", run: holdsPool,
		sql:     []string{"begin; select 1; (nothing more)"},
		want:    wants{leaks, leaks, leaks, nothing, leaks},
		follows: "Tenants that share a pool share its connections: set Config.Limits, as below.",
	},
	{
		row: 67, title: "the same with Limits, MaxConns 1 of 2", run: holdsLimited, limits: schemactx.Limits{MaxConns: 1},
		sql:  []string{"begin; select 1; (nothing more)"},
		want: everywhere("LimitError"),
	},
	{
		row:    67,
		title:  "an endless statement, with Limits, StatementTimeout",
		run:    outlives,
		limits: schemactx.Limits{StatementTimeout: 50 * time.Millisecond},
		sql:    []string{"select pg_sleep(10)"},
		want:   everywhere("57014"),
	},
	{
		row:     67,
		title:   "the same after it has changed the timeout",
		run:     outlives,
		limits:  schemactx.Limits{StatementTimeout: 50 * time.Millisecond},
		sql:     []string{"select set_config('statement_timeout', '0', true)", "select pg_sleep(10)"},
		want:    wants{leaks, leaks, "42501", leaks, "42501"},
		follows: "A role that may call set_config can change its own timeout. MaxConns still holds.",
	},
	{
		row: 68, title: "SET CONSTRAINTS for b", run: defersForB,
		setup: "create table tenant_b.later (body text unique deferrable initially immediate)",
		sql:   []string{"set constraints all deferred", "insert into later values ('twice'), ('twice')"},
		want:  everywhere(nothing),
	},
	{
		row:   69,
		title: "fill the disk outside of every schema",
		run:   makesLargeObject,
		sql:   []string{"select lo_from_bytea(0, convert_to('a was here', 'UTF8'))"},
		want:  wants{leaks, leaks, "42501", leaks, "42501"},
		follows: "Every role may create large objects, unless Harden has revoked that. They belong to no schema: they " +
			"remain after the schema is dropped, until the objects of the role are dropped.",
	},
	{
		row: 70, title: "make a's role a member of b's", run: joinsRoles,
		sql:     []string{"grant ROLE_B to ROLE_A"},
		want:    everywhere("42501"),
		since:   map[int]wants{16: butPathOnly("42501")},
		follows: "The creator of a role may grant it: the login of the service must not have created any role.",
	},
	{
		row:      70,
		title:    "the password of the login",
		variants: true,
		run:      reads,
		sql: []string{
			"alter role LOGIN password 'a was here'",
			"alter role ROLE_B password 'a was here'",
			"alter role OWNER password 'a was here'",
			"create role intruder",
		},
		want: everywhere("42501"),
	},
}
