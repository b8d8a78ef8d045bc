package attacktest

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

// Rows 16 to 25: state that stays on a connection.
var sessionAttacks = []attack{
	{
		row: 16, title: "fetch from a cursor that b holds", run: inherits,
		sql:  []string{"declare c cursor with hold for select body from secrets", "fetch all from c"},
		want: everywhere("34000"),
	},
	{
		row: 17, title: "LISTEN", run: hearsOfB,
		sql:  []string{"listen gossip", "select pg_notify('gossip', body) from secrets"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 17, title: "LISTEN in a DO block, then b on the connection", run: hearsOfB,
		sql:     []string{"do $$ begin execute 'listen gossip'; end $$", "select pg_notify('gossip', body) from secrets"},
		want:    wants{nothing, nothing, "42501", leaks, "42501"},
		follows: "Channels belong to the database. A notification should say that something has changed, and not what.",
	},
	{
		row:   18,
		title: "keep an advisory lock",
		run:   leaves("kept by a"),
		sql: []string{
			"select pg_advisory_lock(42)",
			"select 'kept by a' from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'",
		},
		want: wants{nothing, nothing, nothing, nothing, leaks},
		follows: "A pooler gives the connection to another client without a reset: set server_reset_query_always = 1 in " +
			"PgBouncer.",
		reset: true,
	},
	{
		row:      18,
		title:    "keep an advisory lock where the library does not see it",
		variants: true,
		run:      keepsLock,
		sql:      []string{`select E'a''\'', pg_advisory_lock(42), ''`, "select (42::bigint).pg_advisory_lock"},
		want:     wants{nothing, nothing, nothing, nothing, leaks},
		follows: "A pooler gives the connection to another client without a reset: set server_reset_query_always = 1 in " +
			"PgBouncer.",
		reset: true,
	},
	{
		row: 19, title: "the last number of b's sequence", run: findsLastNumber,
		sql: []string{"insert into items (body) values ('b')", "select lastval()"},
		// Through the pooler the connection has not been cleaned, but the last number is of b's sequence.
		want: wants{"55000", "55000", "55000", "55000", "42501"},
	},
	{
		row: 20, title: "read b's temporary table", run: inherits,
		sql:  []string{"create temp table draft as select body from secrets", "select body from pg_temp.draft"},
		want: wants{"42P01", "42501", "42501", "42501", "42501"},
	},
	{
		row: 20, title: "a temporary table that shadows b's", run: leaves("a was here"),
		sql:  []string{"create temp table secrets as select 'a was here' as body", "select body from secrets"},
		want: wants{nothing, "42501", "42501", "42501", "42501"},
	},
	{
		row: 21, title: "EXECUTE a statement that b prepared", run: inherits,
		sql:  []string{"prepare p as select body from tenant_b.secrets", "execute p"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row:   22,
		title: "read a custom setting of b",
		run:   inherits,
		sql: []string{
			"select set_config('app.tenant', body, false) from secrets",
			"select current_setting('app.tenant', true)",
		},
		want: wants{nothing, nothing, "42501", nothing, "42501"},
	},
	{
		row: 22, title: "read a custom setting that b has SET", run: inherits,
		sql:  []string{"set app.tenant = 'SECRET_B'", "select current_setting('app.tenant', true)"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row: 23, title: "change a setting for b", run: leaves("changed by a"),
		sql: []string{
			`select set_config('TimeZone', 'Pacific/Kiritimati', false), set_config('DateStyle', 'german', false),
				set_config('work_mem', '65', false),
				set_config('statement_timeout', '86399999', false)`,
			`select 'changed by a' from pg_settings where name in ('TimeZone', 'DateStyle', 'work_mem', 'statement_timeout')
				and (setting in ('Pacific/Kiritimati', '65', '86399999') or setting like 'German%')`,
		},
		want: wants{nothing, nothing, "42501", nothing, "42501"},
	},
	{
		row: 23, title: "change a setting for b by SET", run: leaves("64kB"),
		sql:  []string{"set work_mem = '64kB'", "select current_setting('work_mem')"},
		want: everywhere("ErrScopeChanged"),
	},
	{
		row:   23,
		title: "session_replication_role",
		run:   leaves("replica"),
		sql: []string{
			"select set_config('session_replication_role', 'replica', false)",
			"select current_setting('session_replication_role')",
		},
		want: everywhere("42501"),
	},
	{
		row: 24, title: "read b's large object", run: readsLargeObject,
		sql:     []string{"select convert_from(lo_get($1), 'UTF8')"},
		want:    butPathOnly("42501"),
		follows: "Large objects belong to the role that created them, and to no schema.",
	},
	{
		row: 25, title: "the same SQL over other columns and another enum", run: mixesStatements,
		setup: `create type tenant_a.mood as enum ('low', 'high'); create table tenant_a.moods (m tenant_a.mood);
			create type tenant_b.mood as enum ('high', 'low');
				create table tenant_b.moods (extra text default 'SECRET_B', m tenant_b.mood)`,
		sql:  []string{"insert into moods (m) values ($1)", "select * from moods"},
		want: everywhere(nothing),
	},
}

// hearsOfB runs the first statement as a and the second as b. It succeeds if a connection receives
// b's secret.
func hearsOfB(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql[0])
	a.alone("tenant_b", sql[1])
	return a.hears(a.secretB)
}

// keepsLock succeeds if b finds an advisory lock that a has left on the connection.
func keepsLock(a *attempt, sql []string) bool {
	return leaves(
		"kept by a",
	)(
		a,
		append(sql, "select 'kept by a' from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'"),
	)
}

// findsLastNumber succeeds if a gets the last number of b's sequence.
func findsLastNumber(a *attempt, sql []string) bool {
	a.alone("tenant_b", sql[0])
	a.alone("tenant_a", sql[1])
	return a.got("9876543") || a.got("\x00\x00\x00\x00\x00\x96\xb4\x3f")
}

// readsLargeObject succeeds if a gets the content of b's large object. The superuser creates the
// object, because b may not in a hardened database.
func readsLargeObject(a *attempt, sql []string) bool {
	var oid uint32
	require.NoError(
		a.t,
		a.pg.Pool.QueryRow(a.ctx, "select lo_from_bytea(0, convert_to(body, 'UTF8')) from tenant_b.secrets").Scan(&oid),
	)
	a.admin(a.t, fmt.Sprintf("alter large object %d owner to ROLE_B", oid))
	ctx := a.in("tenant_a")
	a.take(ctx, a.db(ctx), sql[0], oid)
	return a.got(a.secretB)
}

// mixesStatements runs the same text alternately in both tenants.
func mixesStatements(a *attempt, sql []string) bool {
	for range 3 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			ctx := a.in(schema)
			_, err := a.db(ctx).Exec(ctx, sql[0], "low")
			a.met(err)
			a.loot.Reset()
			a.take(ctx, a.db(ctx), sql[1])
			if a.got(a.secretB) != (schema == "tenant_b") || !a.got("low") {
				return true
			}
		}
	}
	return false
}
