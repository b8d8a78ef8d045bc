package attacktest

// Rows 46 to 55: what PostgreSQL shows to every role.
var catalogAttacks = []attack{
	{
		row:      46,
		title:    "names of tenants, tables and columns",
		variants: true,
		run:      sees("plan_to_buy_acme"),
		setup:    "create table tenant_b.plan_to_buy_acme (plan_to_buy_acme text)",
		sql: []string{
			"select relname::text from pg_class where relnamespace = (select oid from pg_namespace where nspname = 'tenant_b')",
			"select tablename::text from pg_tables where schemaname = 'tenant_b'",
			"select attname::text from pg_attribute where attname ~ '^plan'",
		},
		want: everywhere(leaks),
		follows: "Every role of a database can read the names of its schemas, roles, tables and columns: use names like " +
			"tenant_7, and put no secret in a name.",
	},
	{
		row: 46, title: "names of tenants' roles", variants: true, run: sees("ROLE_B"),
		sql: []string{
			"select rolname::text from pg_roles",
			"select nspacl::text from pg_namespace",
		},
		want:    everywhere(leaks),
		follows: "A tenant that can write SQL can list all tenants.",
	},
	{
		row:      47,
		title:    "the source of b's views, functions, defaults and comments",
		variants: true,
		run:      sees("SECRET_B"),
		setup: `create view tenant_b.v as select 'SECRET_B' as v; comment on table tenant_b.items is 'SECRET_B';
			create function tenant_b.f() returns text language sql as $$ select 'SECRET_B' $$;
			alter table tenant_b.items alter body set default 'SECRET_B';
				alter table tenant_b.items add check (body <> 'SECRET_B')`,
		sql: []string{
			"select pg_get_viewdef(oid) from pg_class where relname = 'v'",
			"select prosrc from pg_proc where proname = 'f'",
			"select pg_get_expr(adbin, adrelid) from pg_attrdef",
			"select pg_get_constraintdef(oid) from pg_constraint",
			"select description from pg_description",
		},
		want: everywhere(leaks),
		follows: "Every role can read the definitions of all objects: put no data and no keys in them, and use the same " +
			"migrations for every tenant.",
	},
	{
		row: 48, title: "values in the statistics", variants: true, run: sees("SECRET_B"),
		setup:   "insert into tenant_b.items (body) select 'SECRET_B' from generate_series(1, 100); analyze tenant_b.items",
		sql:     []string{"select most_common_vals::text from pg_stats where schemaname = 'tenant_b'"},
		want:    butPathOnly(nothing),
		follows: "Every role that may read a table can read values from its statistics.",
	},
	{
		row: 48, title: "pg_statistic itself", run: sees("SECRET_B"),
		sql:  []string{"select stavalues1::text from pg_statistic"},
		want: everywhere("42501"),
	},
	{
		row:   49,
		title: "the SQL that b runs now",
		run:   spies("SECRET_B"),
		sql: []string{
			"select 'SECRET_B'",
			"select query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
		},
		want:    butPathOnly(nothing),
		follows: "A login can see the statements of all of its own sessions.",
	},
	{
		row: 49, title: "when b is connected, and from where", run: spies("idle in transaction"),
		sql: []string{
			"select 1",
			"select coalesce(state, 'hidden') from pg_stat_activity where datname = current_database() and pid <> " +
				"pg_backend_pid() and usename::text like '%path'",
		},
		want:    butPathOnly(nothing),
		follows: "A login can see the statements of all of its own sessions.",
	},
	{
		row: 50, title: "which tables b uses now", run: spies("secrets"),
		sql: []string{
			"select body from secrets",
			"select c.relname::text || n.nspname from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on " +
				"n.oid = c.relnamespace where nspname = 'tenant_b'",
		},
		want:    everywhere(leaks),
		follows: "Every role can see which session uses which table.",
	},
	{
		row: 51, title: "how many rows and bytes b has", variants: true, run: sees("4321"),
		setup: "insert into tenant_b.items (body) select 'x' from generate_series(1, 4321); analyze tenant_b.items",
		sql: []string{
			"select reltuples::text from pg_class where oid = (select oid from pg_class where relname = 'items' and " +
				"relnamespace = (select oid from pg_namespace where nspname = 'tenant_b'))",
			"select (pg_relation_size(oid) / 8192)::text || case when pg_relation_size(oid) > 8192 * 20 then ' blocks, " +
				"so about 4321 rows' end from pg_class where relname = 'items' and relnamespace = (select oid from pg_namespace " +
				"where nspname = 'tenant_b')",
		},
		want: everywhere(leaks),
		follows: "Every role can read the sizes and the numbers of rows of all tables. Only a database for each tenant " +
			"hides them.",
	},
	{
		row: 51, title: "the size of a table by its name", run: sees("8192"),
		sql:     []string{"select pg_relation_size('tenant_b.secrets')::text"},
		want:    butPathOnly("42501"),
		follows: "Every role with USAGE on a schema can read the sizes of its tables.",
	},
	{
		row: 52, title: "whether a tenant exists, from the error", run: tellsErrorsApart,
		sql:  []string{"select 1 from tenant_b.secrets", "select 1 from tenant_zz.secrets"},
		want: everywhere(leaks),
		follows: "PostgreSQL has different errors for a schema without USAGE and for a missing schema: do not show its " +
			"errors to users.",
	},
	{
		row:   53,
		title: "b's statements on the connection, with their literals",
		run:   inherits,
		sql:   []string{"select 'SECRET_B'", "select statement from pg_prepared_statements"},
		want:  wants{leaks, leaks, leaks, nothing, nothing},
		follows: "Statements stay prepared on a connection that tenants share: pass values as parameters, never in the " +
			"text.",
	},
	{
		row: 53, title: "EXECUTE a statement of the library", run: executesAll,
		sql:  []string{"select 'SECRET_B'", "execute pgtenant_%d"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 53, title: "EXPLAIN EXECUTE a statement of the library", run: executesAll,
		sql:  []string{"select 'SECRET_B'", "explain (verbose) execute pgtenant_%d"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 54, title: "EXPLAIN", run: sees("tenant_b.secrets"),
		sql:     []string{"explain (verbose, analyze) select * from tenant_b.secrets"},
		want:    butPathOnly("42501"),
		follows: "The search path alone isolates only unqualified names.",
	},
	{
		row: 55, title: "dynamic SQL in a function", variants: true, run: reads,
		sql: []string{
			"select query_to_xml('select body from tenant_b.secrets', true, false, '')",
			"select table_to_xml(oid, true, false, '') from pg_class where relname = 'secrets'",
			"select (ts_stat('select to_tsvector(''simple'', body) from tenant_b.secrets')).word",
			"select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, to_tsquery(''simple'', body) from tenant_b.secrets')",
		},
		want:    butPathOnly("42501"),
		follows: "The search path alone isolates only unqualified names.",
	},
}
