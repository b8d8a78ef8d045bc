package attacktest

import (
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// Rows 73 to 76: code that runs at COMMIT, objects that were created in a schema on the path, and
// the settings of a unit of work.
var commitAttacks = []attack{
	{
		row:      73,
		title:    "a deferred trigger that runs outside of the scope, after a statement",
		variants: true,
		run:      commitsOutside(false),
		setup:    commitSetup,
		sql:      commitWays,
		want:     everywhere(nothing),
	},
	{
		row:      73,
		title:    "a deferred trigger that runs outside of the scope, after a transaction",
		variants: true,
		run:      commitsOutside(true),
		setup:    commitSetup,
		sql:      commitWays,
		want:     everywhere(nothing),
	},
	{
		row:   74,
		title: "the query of a held cursor that runs outside of the scope, after a statement",
		run:   commitsOutside(false),
		setup: commitSetup,
		sql:   []string{"declare c cursor with hold for select noted()"},
		want:  everywhere(nothing),
	},
	{
		row:   74,
		title: "the query of a held cursor that runs outside of the scope, after a transaction",
		run:   commitsOutside(true),
		setup: commitSetup,
		sql:   []string{"declare c cursor with hold for select noted()"},
		want:  everywhere(nothing),
	},
	{
		row:      75,
		title:    "a function or an operator planted in the schema of the extensions",
		variants: true,
		run:      leavesAnything("planted by a"),
		sql: []string{
			"create function extensions.planted() returns text language sql as $$ select 'planted by a' $$; select planted()",
			"create function extensions.planted(text) returns text language sql as $$ select 'planted by a' $$; " +
				"select planted(body) from secrets",
			"create operator extensions.<~> (leftarg = text, rightarg = text, function = textcat); " +
				"select body <~> 'planted by a' from secrets",
			"create table extensions.planted as select 'planted by a' as body; select body from planted",
			"create or replace function extensions.citext(boolean) returns extensions.citext language sql as $$ select " +
				"'planted by a'::extensions.citext $$; select citext(true)",
			"alter function extensions.citext(boolean) rename to planted; select planted(true)",
		},
		want: everywhere("42501"),
	},
	{
		row:      76,
		title:    "the scope as settings of a unit of work",
		variants: true,
		run:      sets("select body from secrets", "select body from tenant_b.secrets"),
		sql: []string{
			"role=ROLE_B", "ROLE=ROLE_B", "search_path=tenant_b", "Search_Path=tenant_b", "session_authorization=ROLE_B",
			"session_replication_role=replica", "client_encoding=SJIS", "standard_conforming_strings=off",
			"app.x', true), set_config('role=ROLE_B", "role =ROLE_B", " role=ROLE_B", "\"role\"=ROLE_B",
		},
		want: everywhere("SettingError"),
	},
	{
		row:      76,
		title:    "SQL in the value of a setting of a unit of work",
		variants: true,
		run:      sets("select body from secrets"),
		sql: []string{
			"app.x='; set role ROLE_B; --",
			"app.x=', true), set_config('role', 'ROLE_B', true",
			`app.x=\'; set role ROLE_B; --`,
		},
		want: everywhere(nothing),
	},
}

// commitSetup creates a trigger that waits for COMMIT and a function for cursors. Both write the
// current role into a table with an unqualified name. Tenant a and the schema public each have a
// table of that name.
const commitSetup = `
	create table public.planted (who text default current_user); grant insert on public.planted to public;
	create table tenant_a.planted (who text default current_user);
	create function tenant_a.noted() returns text language plpgsql as $f$ begin insert into planted default values;
		return 'done'; end $f$;
	create function tenant_a.notes() returns trigger language plpgsql as $f$ begin perform tenant_a.noted(); return null;
		end $f$;
	create constraint trigger later after insert on tenant_a.items deferrable initially deferred for each row
		execute function tenant_a.notes();
	create function tenant_a.leaves() returns void language plpgsql as $f$ begin perform pg_advisory_xact_lock(42);
		end $f$`

// commitWays are statements that write a row whose trigger waits for COMMIT.
var commitWays = []string{
	"insert into items (body) values ('x')", "insert into items (body) select 'x' from leaves()",
	"with x as (insert into items (body) values ('x') returning 1) select leaves() from x",
}

// commitsOutside returns an attack with code of a that runs at the end of a statement or
// transaction. It succeeds if the code runs in another schema or role, or does not run at all.
func commitsOutside(inTx bool) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		if inTx {
			a.inTx("tenant_a", sql[0], "select pg_advisory_xact_lock(43)")
		} else {
			a.alone("tenant_a", sql[0])
		}
		want := a.named("ROLE_A")
		if a.column.level == schemactx.PathOnly {
			want = a.named("LOGIN_PATH")
		}
		var outside, inside int
		require.NoError(
			a.t,
			a.pg.Pool.QueryRow(a.ctx, `select (select count(*) from public.planted) + (select count(*) from tenant_a.planted
				where who <> $1),
			(select count(*) from tenant_a.planted where who = $1)`, want).
				Scan(&outside, &inside),
		)
		return outside > 0 || a.err == nil && inside != 1
	}
}

// leavesAnything is leaves for statements in one text, the last of which is b's.
func leavesAnything(text string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		parts := strings.Split(sql[0], "; ")
		met := error(nil)
		for _, s := range parts[:len(parts)-1] {
			a.alone("tenant_a", s)
			if met == nil {
				met = a.err
			}
		}
		a.loot.Reset()
		a.alone("tenant_b", parts[len(parts)-1])
		a.err = met // an error of b only says that nothing was planted
		return a.got(text)
	}
}

// sets returns an attack in which a sets a setting for its units of work, in the context or in the
// transaction options, and then tries to read b's secret.
func sets(reads ...string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		name, value, _ := strings.Cut(sql[0], "=")
		settings := map[string]string{name: value}
		ctx := a.in("tenant_a")
		with := schemactx.WithSettings(ctx, settings)
		db := a.db(ctx)
		for _, read := range reads {
			a.take(with, db, read)
			a.met(db.InTx(with, func(tx pgx.Tx) error { a.take(with, tx, read); return nil }))
			a.met(
				db.InTxOptions(
					ctx,
					schemactx.TxOptions{Settings: settings},
					func(tx pgx.Tx) error { a.take(ctx, tx, read); return nil },
				),
			)
		}
		_, err := db.CopyFrom(with, pgx.Identifier{"items"}, []string{"body"}, pgx.CopyFromRows([][]any{{"by a"}}))
		a.met(err)
		return a.got(a.secretB)
	}
}
