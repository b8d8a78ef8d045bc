package attacktest

import "github.com/jackc/pgx/v5"

// Rows 1 to 6: reading and writing across schemas within a statement.
var readAttacks = []attack{
	{
		row: 1, title: "read by qualified name", variants: true, run: reads,
		sql: []string{
			"select body from tenant_b.secrets",
			"table tenant_b.secrets",
			"select b.body from secrets a cross join tenant_b.secrets b",
			"with x as (select * from tenant_b.secrets) select body from x",
			"select (select body from tenant_b.secrets)",
			"select body from secrets union all select body from tenant_b.secrets",
			"insert into items (body) select body from tenant_b.secrets returning body",
			"select body from only tenant_b.secrets for share",
		},
		want:    butPathOnly("42501"),
		follows: "The search path alone isolates only unqualified names.",
	},
	{
		row:   2,
		title: "change the path and read, in one statement",
		run:   reads,
		sql: []string{
			"select set_config('search_path', 'tenant_b', true), query_to_xml('select body from secrets', true, false, '')",
		},
		want:    wants{leaks, "42P01", "42501", "42P01", "42501"},
		follows: "A function that parses SQL at run time uses the search path of that moment.",
	},
	{
		row: 2, title: "change the path, then read, in one transaction", run: readsInTx,
		sql:  []string{"select set_config('search_path', 'tenant_b', true)", "select body from secrets"},
		want: wants{"ErrTransactionEnded", "ErrTransactionEnded", "42501", "ErrTransactionEnded", "42501"},
	},
	{
		row: 2, title: "change the path, then read, in one batch", run: readsInBatch,
		sql:  []string{"select set_config('search_path', 'tenant_b', true)", "select body from secrets"},
		want: wants{stopped, stopped, "42501", stopped, "42501"},
	},
	{
		row:      3,
		title:    "take b's role and read, in one statement",
		variants: true,
		run:      reads,
		sql: []string{
			"select set_config('role', 'ROLE_B', true), query_to_xml('select body from tenant_b.secrets', true, false, '')",
			"select set_config('role', 'ROLE_B', true), table_to_xml('tenant_b.secrets'::text::regclass, true, false, " +
				"'') from (values (1)) one",
			"select set_config('role', 'ROLE_B', true), schema_to_xml('tenant_b', true, false, '')",
			"select set_config('role', 'ROLE_B', true), (select word from ts_stat('select to_tsvector(''simple'', " +
				"body) from tenant_b.secrets'))",
		},
		want: wants{leaks, leaks, "42501", "42501", "42501"},
		follows: "A login that may take every tenant's role must not run an attacker's expressions, unless the database " +
			"is hardened.",
	},
	{
		row: 3, title: "take b's role, then read, in one transaction", run: readsInTx,
		sql:     []string{"select set_config('role', 'ROLE_B', true)", "select body from tenant_b.secrets"},
		want:    wants{leaks, "ErrTransactionEnded", "42501", "42501", "42501"},
		follows: "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		row: 3, title: "take b's role where the library does not see it, then read", variants: true,
		run: readsAfter("select body from tenant_b.secrets"),
		sql: []string{
			`select E'a''\'', set_config('role', 'ROLE_B', true), ''`,
			"select E''\n'\\'', set_config('role', 'ROLE_B', true), ''",
			"select 1 as into, set_config('role', 'ROLE_B', true)",
		},
		want:    wants{leaks, "ErrTransactionEnded", "42501", "42501", "42501"},
		follows: "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		row:   3,
		title: "change how the server parses strings, take b's role in text that looks like a string, then read",
		run:   readsInTx,
		sql: []string{
			"select set_config('standard_conforming_strings', 'off', true)",
			`select '\'', set_config('role', 'ROLE_B', true), '\''`, "select body from tenant_b.secrets",
		},
		want:    wants{leaks, "ErrTransactionEnded", "42501", "42501", "42501"},
		follows: "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		// In SJIS the second byte of ā and the backslash form one character.
		row: 3, title: "the same with another encoding", run: readsInTx,
		sql: []string{
			"select set_config('client_encoding', 'SJIS', true)",
			`select E'ā\', set_config('role', 'ROLE_B', true), E'ā\'`, "select body from tenant_b.secrets",
		},
		want:    wants{leaks, "ErrTransactionEnded", "42501", "42501", "42501"},
		follows: "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		row: 3, title: "take b's role, then read, in one batch", run: readsInUnpreparedBatch,
		sql:     []string{"select set_config('role', 'ROLE_B', true)", "select body from tenant_b.secrets"},
		want:    wants{leaks, stopped, "42501", "42501", "42501"},
		follows: "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		// The view does not show the setting role, so there is no row to update.
		row:   4,
		title: "take b's role through pg_settings, then read",
		run:   readsInTx,
		sql: []string{
			"update pg_settings set setting = 'ROLE_B' where name = 'role'",
			"select body from tenant_b.secrets",
		},
		want:    wants{leaks, stopped, "42501", "42501", "42501"},
		follows: "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		row: 4, title: "change the path through pg_settings, then read", run: readsInTx,
		sql:  []string{"update pg_settings set setting = 'tenant_b' where name = 'search_path'", "select body from secrets"},
		want: wants{stopped, stopped, "42501", stopped, "42501"},
	},
	{
		row: 4, title: "pg_settings inside of another statement", variants: true, run: reads,
		sql: []string{
			"with x as (update pg_settings set setting = 'ROLE_B' where name = 'role' returning 1) select query_to_xml('table " +
				"tenant_b.secrets', true, false, '') from x",
		},
		want: everywhere("0A000"),
	},
	{
		row: 4, title: "pg_settings inside of query_to_xml", run: reads,
		sql: []string{
			"select query_to_xml('update pg_settings set setting = ''ROLE_B'' where name = ''role''', true, false, ''), " +
				"query_to_xml('select body from tenant_b.secrets', true, false, '')",
		},
		want: wants{"22000", "22000", "42501", "22000", "42501"},
	},
	{
		row: 5, title: "write by qualified name", variants: true, run: changes,
		sql: []string{
			"insert into tenant_b.secrets values ('a was here')",
			"update tenant_b.secrets set body = 'a was here'",
			"delete from tenant_b.secrets",
			"truncate tenant_b.secrets",
			"with x as (delete from tenant_b.secrets returning body) select count(*) from x",
			"merge into tenant_b.secrets b using secrets a on false when not matched then insert values ('a was here')",
		},
		want:    butPathOnly("42501"),
		follows: "The search path alone isolates only unqualified names.",
	},
	{
		row: 5, title: "CopyFrom into a qualified name", run: copiesInto, sql: []string{"copy tenant_b.secrets from stdin"},
		want:    butPathOnly("42501"),
		follows: "A table's name must not come from a request.",
	},
	{
		row: 5, title: "COPY as a statement", variants: true, run: reads,
		sql:  []string{"copy tenant_b.secrets to stdout", "copy (select body from tenant_b.secrets) to stdout"},
		want: everywhere("ErrCopy"),
	},
	{
		row: 6, title: "a view over b", run: reads,
		sql:     []string{"create view peek as select body from tenant_b.secrets", "select body from peek"},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row:      6,
		title:    "a trigger or a rule on b",
		variants: true,
		run:      changes,
		setup: `create function tenant_a.copy() returns trigger language plpgsql as 'begin return null; end';
			grant execute on function tenant_a.copy() to ROLE_A`,
		sql: []string{
			"create trigger t after insert on tenant_b.secrets for each row execute function tenant_a.copy()",
			"create rule r as on insert to tenant_b.secrets do also insert into tenant_b.items (body) values (new.body)",
			"alter table tenant_b.secrets add foreign key (body) references secrets not valid",
		},
		want:    wants{leaks, "42501", "42501", "42501", "42501"},
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row: 6, title: "a table that inherits from b's", run: changes,
		sql:     []string{"create table mine () inherits (tenant_b.secrets)", "insert into mine values ('a was here')"},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row:   6,
		title: "b's table as a partition",
		run:   reads,
		setup: "create table tenant_b.part (body text); insert into tenant_b.part values ('SECRET_B'); " +
			"create table tenant_a.whole (body text) partition by list (body)",
		sql:     []string{"alter table whole attach partition tenant_b.part default", "select body from whole"},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row:   6,
		title: "a foreign key as an oracle",
		run:   guessesByForeignKey,
		sql: []string{
			"create table guess (body text references tenant_b.secrets)",
			"insert into guess values ('SECRET_B')",
		},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row:   6,
		title: "a function in a's schema",
		run:   reads,
		sql: []string{
			"create function peek() returns text language sql as 'select body from tenant_b.secrets'",
			"select peek()",
		},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
}

// copiesInto copies a row into b's table by its qualified name. It succeeds if the state of b
// changes.
func copiesInto(a *attempt, _ []string) bool {
	ctx := a.in("tenant_a")
	before := a.stateOfB(a.t)
	_, err := a.db(ctx).
		CopyFrom(ctx, pgx.Identifier{"tenant_b", "secrets"}, []string{"body"}, pgx.CopyFromRows([][]any{{"a was here"}}))
	a.met(err)
	return a.stateOfB(a.t) != before
}

// guessesByForeignKey succeeds if a foreign key accepts the right guess and rejects a wrong one.
func guessesByForeignKey(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	if a.err != nil {
		return false
	}
	ctx := a.in("tenant_a")
	_, err := a.db(ctx).Exec(ctx, "insert into guess values ('a wrong guess')")
	return err != nil
}
