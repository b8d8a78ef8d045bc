package attacktest

import "strings"

// Rows 71 and 72: code that a statement calls without naming it in its text.
var hiddenAttacks = []attack{
	{
		row:      71,
		title:    "a setting, a lock, a cursor, a temporary table and a sequence's number, left by a hidden function",
		variants: true,
		run:      keepsOutOfSight,
		setup:    hiddenSetup,
		sql:      hiddenWays("everything", hiddenCalls...),
		want:     leavesAtPooler,
		follows:  poolerResets,
		reset:    true,
	},
	{
		row: 71, title: "a lock left by a hidden function of a statement that fails", variants: true, run: keepsOutOfSight,
		setup: hiddenSetup, sql: hiddenWays("lost lock", view, policy),
		want: wants{"P0001", "P0001", "P0001", "P0001", leaks}, follows: poolerResets, reset: true,
	},
	{
		row: 71, title: "LISTEN in a hidden function, then b on the connection", variants: true, run: hearsOutOfSight,
		setup: hiddenSetup, sql: hiddenWays("channel", view, policy),
		want:    wants{nothing, nothing, nothing, leaks, leaks},
		follows: "Channels belong to the database. A notification should say that something has changed, and not what.",
	},
	{
		row:      72,
		title:    "take b's role in a hidden function, then read, in one transaction",
		variants: true,
		run:      readsAfterHidden("select body from tenant_b.secrets"),
		setup:    hiddenSetup,
		sql:      hiddenWays("role of the transaction", view, policy, notation, trigger),
		want:     wants{leaks, "ErrTransactionEnded", "ErrTransactionEnded", "42501", "ErrTransactionEnded"},
		follows:  "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		row:      72,
		title:    "take b's role in a hidden function, then read, in one batch",
		variants: true,
		run:      readsInBatchAfter("select body from tenant_b.secrets"),
		setup:    hiddenSetup,
		sql:      hiddenWays("role of the transaction", view, policy),
		want:     wants{leaks, stopped, stopped, "42501", stopped},
		follows:  "PathOnly uses no roles: the second statement succeeds without the first.",
	},
	{
		row:      72,
		title:    "change the path in a hidden function, then read, in one transaction",
		variants: true,
		run:      readsAfterHidden("select body from secrets"),
		setup:    hiddenSetup,
		sql:      hiddenWays("path of the transaction", view, policy),
		want:     everywhere("ErrTransactionEnded"),
	},
	{
		row:      72,
		title:    "take b's role for the session in a hidden function, then a statement without a scope",
		variants: true,
		run:      readsWithoutScopeAfter,
		setup:    hiddenSetup,
		sql:      hiddenWays("role of the session", view, policy),
		want:     wants{leaks, "42501", "42501", "42501", "42501"},
		follows:  "A statement that runs on the pool without this package has the privileges of the login.",
	},
}

// leavesAtPooler is the outcome of state that only a pooler's connection keeps.
var leavesAtPooler = wants{nothing, nothing, nothing, nothing, leaks}

const poolerResets = "A pooler gives the connection to another client without a reset: set " +
	"server_reset_query_always = 1 in PgBouncer."

// hiddenSetup creates a function that leaves the state that its argument names, and objects that
// call the function without naming it in a statement's text. The objects in the schema tools are on
// no path.
const hiddenSetup = `
	create or replace function tenant_a.leave(what text) returns boolean language plpgsql volatile as $f$ begin
		case what
		when 'everything' then
			execute 'set app.mark = ''kept by a''';
			perform pg_try_advisory_lock(42);
			execute 'declare kept_by_a cursor with hold for select ''kept by a''';
			perform tenant_a.make_temporary();
			perform nextval('tenant_a.items_id_seq');
		when 'lost lock' then perform pg_try_advisory_lock(42); raise exception 'lost';
		when 'channel' then execute 'listen gossip';
		when 'role of the transaction' then execute 'set local role ROLE_B';
		when 'path of the transaction' then execute 'set local search_path = tenant_b';
		when 'role of the session' then execute 'set role ROLE_B';
		end case;
		return true; end $f$;
	create function tenant_a.make_temporary() returns void language plpgsql security definer set search_path = pg_catalog
		as
		$f$ begin execute 'create temporary table kept_by_a ()'; end $f$;
	create table tenant_a.whats (what text); insert into tenant_a.whats
		select unnest(array['everything', 'lost lock', 'channel', 'role of the transaction', 'path of the transaction',
			'role of the session']);
	create function tenant_a.leaves(w tenant_a.whats) returns boolean language sql volatile
		as 'select tenant_a.leave(w.what)';
	create function tenant_a.upper(w tenant_a.whats) returns boolean language sql volatile
		as 'select tenant_a.leave(w.what)';
	create function tenant_a.leaves(a text, b text) returns boolean language sql volatile as 'select tenant_a.leave(a)';
	create operator tenant_a.<~> (leftarg = text, rightarg = text, function = tenant_a.leaves);
	create domain tenant_a.left_behind as text check (tenant_a.leave(value));
	create table tenant_a.checked (what text check (tenant_a.leave(what)));
	create function tenant_a.leaves() returns trigger language plpgsql as $f$ begin perform tenant_a.leave(new.what);
		return null; end $f$;
	create table tenant_a.triggered (what text);
	create trigger t before insert on tenant_a.triggered for each row execute function tenant_a.leaves();
	create view tenant_a.overview as select what, tenant_a.leave(what) as done from tenant_a.whats;
	create table tenant_a.chosen (what text); insert into tenant_a.chosen values ('');
	create function tenant_a.chosen() returns text language sql volatile as 'select what from tenant_a.chosen';
	create table tenant_a.guarded (x int); insert into tenant_a.guarded values (1);
	alter table tenant_a.guarded enable row level security; alter table tenant_a.guarded force row level security;
	create policy p on tenant_a.guarded using (tenant_a.leave(tenant_a.chosen()));
	create table tenant_a.defaults (x int, done boolean default tenant_a.leave(tenant_a.chosen()));
	alter sequence tenant_a.items_id_seq restart 9876543;`

// hiddenCalls are statements that call the function with WHAT as its argument. For a policy or a
// default the owner chooses the argument: see chooses.
var hiddenCalls = []string{
	view,
	policy,
	notation,
	trigger,
	"insert into defaults (x) values (1) /* WHAT */",
	"select 'WHAT'::text <~> ''::text",
	"select 'WHAT'::left_behind",
	"insert into checked values ('WHAT')",
	"select upper(w) from whats w where what = 'WHAT'",
}

const (
	view     = "select done from overview where what = 'WHAT'"
	policy   = "select x from guarded /* WHAT */"
	notation = "select w.leaves from whats w where what = 'WHAT'"
	trigger  = "insert into triggered values ('WHAT')"
)

func hiddenWays(what string, calls ...string) []string {
	ways := make([]string, len(calls))
	for i := range ways {
		ways[i] = strings.ReplaceAll(calls[i], "WHAT", what)
	}
	return ways
}

// chooses sets the argument for the policy and the default.
func chooses(a *attempt, sql string) {
	for _, what := range []string{
		"everything", "lost lock", "channel", "role of the transaction", "path of the transaction", "role of the session",
	} {
		if strings.Contains(sql, what) {
			a.admin(a.t, "update tenant_a.chosen set what = '"+what+"'")
		}
	}
}

// keepsOutOfSight succeeds if b finds state that a has left on the connection.
func keepsOutOfSight(a *attempt, sql []string) bool {
	chooses(a, sql[0])
	a.alone("tenant_a", sql[0])
	met := a.err
	a.loot.Reset()
	for _, look := range []string{
		"select current_setting('app.mark', true)",
		"select 'kept by a' from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'",
		"select 'kept by a' from pg_cursors where name = 'kept_by_a'",
		"select 'kept by a' from pg_class where relname = 'kept_by_a' and relnamespace = pg_my_temp_schema()",
		"select case when lastval() between 9876543 and 9876549 then 'kept by a' end",
	} {
		a.alone("tenant_b", look)
	}
	a.err = met // lastval fails if there is no number, which is not an error of the attack
	return a.got("kept by a")
}

// hearsOutOfSight is hearsOfB with a notification by b.
func hearsOutOfSight(a *attempt, sql []string) bool {
	chooses(a, sql[0])
	return hearsOfB(a, []string{sql[0], "select pg_notify('gossip', body) from secrets"})
}

func readsAfterHidden(read string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		chooses(a, sql[0])
		return readsAfter(read)(a, sql)
	}
}

func readsInBatchAfter(read string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		chooses(a, sql[0])
		return readsInBatch(a, []string{sql[0], read})
	}
}

func readsWithoutScopeAfter(a *attempt, sql []string) bool {
	chooses(a, sql[0])
	if !a.column.shared {
		a.alone("tenant_a", sql[0])
		return false
	}
	return readsWithoutScope(a, []string{sql[0], "select body from tenant_b.secrets"})
}
