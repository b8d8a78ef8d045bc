package attacktest

// Rows 7 to 15: leaving the scope.
var leaveAttacks = []attack{
	{
		row: 7, title: "SET ROLE, then read", variants: true, run: readsAfter("select body from tenant_b.secrets"),
		sql:  []string{"set role ROLE_B", "set local role ROLE_B"},
		want: everywhere("ErrTransactionEnded"),
	},
	{
		row:      7,
		title:    "other statements that change the session, then read",
		variants: true,
		run:      readsAfter("select body from tenant_b.secrets"),
		sql: []string{
			"reset role",
			"set role none",
			"set local role none",
			"reset all",
			"set search_path to tenant_b",
			"set local search_path to tenant_b",
			"set transaction read only",
			"set session authorization default",
			"set session characteristics as transaction read only",
			"start transaction",
			"prepare p as select 1",
			"listen gossip",
			"unlisten *",
			"discard plans",
			"set session authorization ROLE_B",
			"discard all",
		},
		want: everywhere("ErrTransactionEnded"),
	},
	{
		row: 7, title: "SET ROLE for the session, to lock b out", run: breaksB,
		sql:  []string{"set role ROLE_A"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row:      7,
		title:    "two statements in one string, the first refused",
		variants: true,
		run:      reads,
		sql: []string{
			"set role ROLE_B; select body from tenant_b.secrets",
			"; /* */ set role ROLE_B; select body from tenant_b.secrets",
		},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 7, title: "two statements in one string, the second refused", variants: true, run: reads,
		sql:  []string{"select 1; set role ROLE_B", "select 1; select body from tenant_b.secrets"},
		want: everywhere("42601"),
	},
	{
		row: 7, title: "two statements in one string, with the simple protocol", run: readsSimple,
		sql:  []string{"select 1; select body from tenant_b.secrets"},
		want: everywhere("42601"),
	},
	{
		row: 7, title: "SET ROLE and a read in one batch", run: readsInBatch,
		sql:  []string{"set role ROLE_B", "select body from tenant_b.secrets"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 7, title: "SET ROLE and a write in one batch", run: changesInBatch,
		sql:  []string{"set role ROLE_B", "insert into tenant_b.secrets values ('a was here')"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 8, title: "a path for the session, and COMMIT", run: leavesInTx("SECRET_A"),
		sql:  []string{"set search_path to tenant_a", "commit", "select body from secrets"},
		want: everywhere("ErrTransactionEnded"),
	},
	{
		row: 8, title: "a path for the session by set_config", run: leaves("SECRET_A"),
		sql:  []string{"select set_config('search_path', 'tenant_a', false)", "select body from secrets"},
		want: wants{nothing, nothing, "42501", nothing, "42501"},
		// The server reports a changed path, and the connection is closed.
		since: map[int]wants{18: {nothing, "ErrScopeChanged", "42501", "ErrScopeChanged", "42501"}},
	},
	{
		row: 8, title: "b's role for the session, then a statement without a scope", run: readsWithoutScope,
		sql:     []string{"select set_config('role', 'ROLE_B', false)", "select body from tenant_b.secrets"},
		want:    wants{leaks, "42501", "42501", "42501", "42501"},
		follows: "At PathOnly, a statement without a scope has all privileges of the login.",
	},
	{
		row:   8,
		title: "the same by a cursor that runs when the transaction commits",
		run:   readsWithoutScope,
		sql: []string{
			"declare c cursor with hold for select set_config('role', 'ROLE_B', false)",
			"select body from tenant_b.secrets",
		},
		want:    wants{leaks, "42501", "42501", "42501", "42501"},
		follows: "At PathOnly, a statement without a scope has all privileges of the login.",
	},
	{
		row: 8, title: "b's path for the session, then a statement without a scope", run: readsWithoutScope,
		sql:   []string{"select set_config('search_path', 'tenant_b', false)", "select body from secrets"},
		want:  wants{"42P01", "42P01", "42501", nothing, "42501"},
		since: map[int]wants{18: {"42P01", "ErrScopeChanged", "42501", "ErrScopeChanged", "42501"}},
	},
	{
		row: 9, title: "end the transaction, then read", variants: true, run: readsAfter("select body from tenant_b.secrets"),
		sql: []string{
			"commit", "rollback", "commit and chain", "rollback and chain", "end", "abort", "commit and no chain",
		},
		want: everywhere("ErrTransactionEnded"),
	},
	{
		row: 9, title: "a procedure that commits, in a transaction", run: readsInTx,
		setup: commits,
		sql:   []string{"call nightly()", "select body from tenant_b.secrets"},
		want:  everywhere("2D000"),
	},
	{
		row: 9, title: "a procedure that commits, alone", run: reads,
		setup: commits,
		sql:   []string{"call nightly()", "select body from items"},
		want:  everywhere("2D000"),
	},
	{
		row: 9, title: "a procedure that commits, in a batch", run: readsInBatch,
		setup: commits,
		sql:   []string{"call nightly()", "select body from items"},
		want:  everywhere("2D000"),
	},
	{
		row: 9, title: "a DO block that commits, in a transaction", run: readsInTx,
		sql:  []string{"do $$ begin commit; end $$", "select body from tenant_b.secrets"},
		want: wants{"2D000", "2D000", "42501", "2D000", "42501"},
	},
	{
		row: 9, title: "a DO block that commits, alone", run: reads,
		sql:  []string{commitsInBlock, "select body from items"},
		want: wants{"2D000", "2D000", "42501", "2D000", "42501"},
	},
	{
		row: 9, title: "a DO block that commits, in a batch", run: readsInBatch,
		sql:  []string{commitsInBlock, "select body from items"},
		want: wants{"2D000", "2D000", "42501", "2D000", "42501"},
	},
	{
		row: 10, title: "SET ROLE in a DO block", run: reads,
		sql: []string{`do $$ declare s text; begin execute 'set local role ROLE_B'; select body into s from tenant_b.secrets;
			raise exception '%', s; end $$`},
		want: wants{leaks, leaks, "42501", "42501", "42501"},
		follows: "A DO block can run any statement: a tenant that may send one has all roles of the login, unless Harden " +
			"has revoked USAGE on plpgsql.",
	},
	{
		row:      11,
		title:    "statements for savepoints, then read",
		variants: true,
		run:      readsAfter("select body from tenant_b.secrets"),
		sql:      []string{"savepoint s"},
		want:     wants{leaks, "42501", "42501", "42501", "42501"},
		follows:  "The savepoint is part of the transaction, whose scope holds.",
	},
	{
		row: 11, title: "change the path in a savepoint, roll back", run: readsAfterSavepoint(false),
		sql:  []string{"select set_config('search_path', 'tenant_b', true)", "select body from secrets"},
		want: wants{nothing, nothing, "42501", nothing, "42501"},
		// The server reports the changed path at once, so the transaction ends before the rollback to the
		// savepoint.
		since: map[int]wants{18: {"ErrTransactionEnded", "ErrTransactionEnded", "42501", "ErrTransactionEnded", "42501"}},
	},
	{
		row: 11, title: "change the path in a savepoint, release", run: readsAfterSavepoint(true),
		sql:  []string{"select set_config('search_path', 'tenant_b', true)", "select body from secrets"},
		want: wants{"ErrTransactionEnded", "ErrTransactionEnded", "42501", "ErrTransactionEnded", "42501"},
	},
	{
		row: 12, title: "read after an error", run: readsAfterError,
		sql:  []string{"select 1/0", "select body from tenant_b.secrets"},
		want: everywhere("25P02"),
	},
	{
		row: 13, title: "rows of a transaction that is over", run: readsKeptRows,
		sql:  []string{"select body from secrets, generate_series(1, 50000)"},
		want: everywhere(stopped),
	},
	{
		row: 13, title: "a transaction that is over, from a goroutine", run: readsKeptTx,
		sql:  []string{"select body from secrets"},
		want: everywhere("pgx.ErrTxClosed"),
	},
	{
		row: 13, title: "the results of a batch whose transaction is over", run: readsKeptBatch,
		sql:  []string{"select body from secrets"},
		want: everywhere(stopped),
	},
	{
		row: 13, title: "two goroutines in one transaction", run: readsFromTwo,
		sql:  []string{"select $1 || body from secrets"},
		want: everywhere("ErrTxBusy"),
	},
	{
		row: 14, title: "a panic, then b", run: leavesHalfDone(panics),
		sql:  []string{"insert into items (body) values ('half done')", "(panic)"},
		want: everywhere(nothing),
	},
	{
		row: 14, title: "runtime.Goexit, then b", run: leavesHalfDone(exits),
		sql:  []string{"insert into items (body) values ('half done')", "(runtime.Goexit)"},
		want: everywhere(nothing),
	},
	{
		row: 14, title: "cancelled in a query, then b", run: leavesHalfDone(cancelsInQuery),
		sql:  []string{"insert into items (body) values ('half done')", "select pg_sleep(5) -- cancelled"},
		want: everywhere(nothing),
	},
	{
		row:   14,
		title: "unread rows, then b",
		run:   leavesHalfDone(leavesRowsUnread),
		sql: []string{
			"insert into items (body) values ('half done')",
			"select body from secrets, generate_series(1, 50000) -- not read",
		},
		want: everywhere(nothing),
	},
	{
		row:   14,
		title: "cancelled in COPY, then b",
		run:   leavesHalfDone(cancelsInCopy),
		sql: []string{
			"insert into items (body) values ('half done')",
			"copy items (body) from stdin -- CopyFrom, cancelled",
		},
		want: everywhere(nothing),
	},
	{
		row: 14, title: "COPY FROM STDIN as a statement, then b", run: leavesHalfDone(copiesFromStdin),
		sql:  []string{"insert into items (body) values ('half done')", "copy items (body) from stdin"},
		want: everywhere(nothing),
	},
	{
		row: 15, title: "no tenant in the context", run: readsWithoutTenant,
		sql:  []string{"select body from tenant_b.secrets"},
		want: everywhere("ErrNoSchema"),
	},
	{
		row: 15, title: "b's context on a's transaction", run: readsInTxOfOther,
		sql:  []string{"select body from secrets"},
		want: everywhere("ErrSchemaMismatch"),
	},
}

// commits creates a procedure that commits its transaction and then reads b's table.
const commits = `create procedure tenant_a.nightly() language plpgsql as $$
	begin commit; insert into tenant_a.items (body) select body from tenant_b.secrets; end $$`

const commitsInBlock = "do $$ begin commit; insert into tenant_a.items (body) select body from tenant_b.secrets; end $$"
