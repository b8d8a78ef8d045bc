package schemactx_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// leavesSQL is the body of a function that leaves a setting in the session. As a SECURITY DEFINER
// function it can do that in a hardened database too.
const leavesSQL = `returns boolean language plpgsql %s security definer set search_path = pg_catalog as $$
	begin perform set_config('app.level', session_user || ':staff', false); return true; end $$`

func settingFunc(name, label string) string {
	return fmt.Sprintf("create or replace function "+name+" "+leavesSQL, label)
}

// sharedDomain creates a domain whose check leaves session state, and a composite type with a
// column of it.
var sharedDomain = settingFunc("shared.f()", "") + `; do $$ begin
	create domain shared.d as text check (shared.f()); exception when duplicate_object then null; end $$;
	do $$ begin create type shared.pair as (word shared.d, n int); exception when duplicate_object then null; end $$`

// hidden are the ways in which a statement runs a function that its text does not show. setup runs
// in each tenant's schema, after the table papers was created. Objects in schema shared are created
// once.
var hidden = []struct {
	name, shared, setup, sql string
	since                    int // the first version of PostgreSQL that has it
}{
	{name: "policy", setup: settingFunc("may_read()", "") + `;
		alter table papers enable row level security; alter table papers force row level security;
		create policy p on papers using (may_read())`},
	{name: "policy in a shared schema", shared: settingFunc("shared.may_read()", ""), setup: `
		alter table papers enable row level security; alter table papers force row level security;
		create policy p on papers using (shared.may_read())`},
	{
		name:  "view",
		setup: settingFunc("f()", "") + "; create view v as select body from papers where f()",
		sql:   "select body from v",
	},
	{name: "view on a view", shared: settingFunc("shared.f()", ""), setup: `
		create view v as select body from papers where shared.f();
			create view w as select * from v`, sql: "select body from w"},
	{
		name: "view in a shared schema", shared: settingFunc("shared.f()", "") + `;
		create or replace view shared.v as select 'x' as body where shared.f(); grant select on shared.v to public`,
		sql: "select body from shared.v",
	},
	{
		name: "view on a view in a shared schema", shared: settingFunc("shared.f()", "") + `;
		create or replace view shared.v as select 'x' as body where shared.f(); grant select on shared.v to public`,
		setup: "create view v as select * from shared.v", sql: "select body from v",
	},
	{
		name: "alias in front of a view", shared: settingFunc("shared.f()", "") + `;
		create or replace view shared."V" as select 'x' as body where shared.f(); grant select on shared."V" to public`,
		sql: `select p.body from papers p, "shared" . "V" as s`,
	},
	{
		name: "function in a FROM of a view", shared: settingFunc("shared.f()", ""),
		setup: "create view v as select body from papers, shared.f() as t(ok)", sql: "select body from v",
	},
	{name: "operator", setup: `create function op(a text, b text) ` + fmt.Sprintf(leavesSQL, "") + `;
		create operator ### (function = op, leftarg = text,
			rightarg = text)`, sql: "select body from papers where body ### 'x'"},
	{name: "unary operator", setup: `create function op(b text) ` + fmt.Sprintf(leavesSQL, "") + `;
		create operator !!! (function = op, rightarg = text)`, sql: "select body from papers where !!! body"},
	{
		name:   "operator on a shared function",
		shared: `create or replace function shared.op(a text, b text) ` + fmt.Sprintf(leavesSQL, ""),
		setup:  "create operator ### (function = shared.op, leftarg = text, rightarg = text)",
		sql:    "select body from papers where body ### 'x'",
	},
	{
		name:  "check of a domain",
		setup: settingFunc("f()", "") + "; create domain d as text check (f())",
		sql:   "select body::d from papers",
	},
	{
		name: "check of a domain in a shared schema", shared: settingFunc("shared.f()", "") + `;
		do $$ begin create domain shared.d as text check (shared.f()); exception when duplicate_object then null; end $$`,
		sql: "select body::shared.d from papers",
	},
	{
		name: "domain on a shared domain", shared: settingFunc("shared.f()", "") + `;
		do $$ begin create domain shared.d as text check (shared.f()); exception when duplicate_object then null; end $$`,
		setup: "create domain d as shared.d", sql: "select cast(body as d) from papers",
	},
	{
		name:   "domain within a composite type in a shared schema",
		shared: sharedDomain,
		setup:  "create view v as select body::shared.pair as body from (values ('(x,1)')) as t(body)",
		sql:    "select body::text from v",
	},
	{
		name:   "domain within an array of composites in a shared schema",
		shared: sharedDomain,
		setup:  "create view v as select body::shared.pair[] as body from (values ('{\"(x,1)\"}')) as t(body)",
		sql:    "select body::text from v",
	},
	{
		name: "shared domain within a composite type", shared: sharedDomain,
		setup: "create type pair as (word shared.d, n int)", sql: "select '(x,1)'::text::pair::text from papers",
	},
	{
		name:   "shared domain within the type of a shared table's rows",
		shared: sharedDomain + "; create table if not exists shared.pairs (word shared.d)",
		setup:  "create view v as select body::shared.pairs as body from (values ('(x)')) as t(body)",
		sql:    "select body::text from v",
	},
	{
		name: "cast of a row",
		shared: `create or replace function shared.tell(record) returns text language plpgsql security definer
		set search_path = pg_catalog as $$ begin perform set_config('app.level', 'staff', false); return 'x'; end $$`,
		setup: "create cast (papers as text) with function shared.tell(record)",
		sql:   "select p::text from papers p",
	},
	{
		name:  "default",
		setup: settingFunc("f()", "") + "; alter table papers add ok boolean default f()",
		sql:   "insert into papers (id, body) values (default, 'x')",
	},
	{
		name:   "default in a shared schema",
		shared: settingFunc("shared.f()", ""),
		setup:  "alter table papers add ok boolean default shared.f()",
		sql:    "insert into papers (id, body) values (default, 'x')",
	},
	{
		name:  "check of a table",
		setup: settingFunc("f()", "") + "; alter table papers add check (f()) not valid",
		sql:   "update papers set body = 'y'",
	},
	{
		name: "trigger",
		setup: `create function tr() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
		begin perform set_config('app.level', 'staff', false); return new; end $$;
		create trigger t before update on papers for each row execute function tr()`,
		sql: "update papers set body = 'y'",
	},
	{
		name: "shared trigger function",
		shared: `create or replace function shared.tr() returns trigger language plpgsql security definer
		set search_path = pg_catalog as $$ begin perform set_config('app.level', 'staff', false); return new; end $$`,
		setup: "create trigger t before update on papers for each row execute function shared.tr()",
		sql:   "update papers set body = 'y'",
	},
	{
		name: "deferred trigger",
		setup: `create function tr() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
		begin perform set_config('app.level', 'staff', false); return new; end $$;
		create constraint trigger t after update on papers deferrable initially deferred for each row execute function tr()`,
		sql: "update papers set body = 'y'",
	},
	{name: "rule", shared: settingFunc("shared.f()", ""), setup: `create table log (ok boolean);
		create rule r as on update to papers do also insert into log
			values (shared.f())`, sql: "update papers set body = 'y'"},
	{
		name:  "notation of a column",
		setup: "create function level(p papers) " + fmt.Sprintf(leavesSQL, ""),
		sql:   "select s.level from papers s",
	},
	{
		name: "cast",
		setup: `create type mood as enum ('x'); create function to_mood(t int) returns mood language plpgsql security definer
		set search_path = pg_catalog as $$ begin perform set_config('app.level', 'staff', false); return null; end $$;
		create cast (int as mood) with function to_mood(int)`,
		sql: "select id::int::mood from papers",
	},
	{
		name: "aggregate in a view", setup: `create function add(a int, b int) returns int language plpgsql security definer
		set search_path = pg_catalog as $$ begin perform set_config('app.level', 'staff', false); return 1; end $$;
		create aggregate total(int) (sfunc = add, stype = int, initcond = '0');
			create view v as select total(id::int)::text as body from papers`,
		sql: "select body from v",
	},
	{
		name: "SQL function",
		setup: `create function f() returns text language sql security definer set search_path = pg_catalog as
		$$ select set_config('app.level', 'staff', false) $$; create view v as select body from papers where f() <> ''`,
		sql: "select body from v",
	},
	{
		name:  "stable function",
		setup: settingFunc("f()", "stable") + "; create view v as select body from papers where f()",
		sql:   "select body from v",
	},
	{
		name:  "immutable liar",
		setup: settingFunc("f(text)", "immutable") + "; create view v as select body from papers where f(body)",
		sql:   "select body from v",
	},
	{
		name:   "immutable liar that calls another",
		shared: settingFunc("shared.f()", ""),
		setup: `create function f(text) returns boolean language sql
		immutable security definer as $$ select shared.f() $$; create view v as select body from papers where f(body)`,
		sql: "select body from v",
	},
	{
		name: "immutable liar in a shared schema", shared: settingFunc("shared.g(text)", "immutable"),
		setup: "create view v as select body from papers where shared.g(body)", sql: "select body from v",
	},
	{
		name:  "built-in in a view",
		setup: "create view v as select set_config('app.level', 'staff', false) as body from papers",
		sql:   "select body from v",
	},
	{
		name: "built-in in a policy",
		setup: `alter table papers enable row level security; alter table papers force row level security;
		create policy p on papers using (set_config('app.level', 'staff', false) = 'staff')`,
	},
	{
		name:  "built-in in a check of a domain",
		setup: "create domain d as text check (set_config('app.level', value, false) <> '')",
		sql:   "select body::d from papers",
	},
	{name: "virtual column", since: 18, setup: `create function f(t text) returns text language sql immutable as
		$$ select set_config('app.level', 'staff', false) $$;
			create view v as select f(body) as body from papers`, sql: "select body from v"},
}

const papersSQL = "create table papers (id bigserial primary key, body text); insert into papers (body) values ('x')"

// shareSchema creates a schema that every tenant may use.
func (f *fixture) shareSchema(t *testing.T, sql string) {
	t.Helper()
	f.exec(t, "create schema if not exists shared; grant usage on schema shared to public")
	if sql != "" {
		f.exec(t, sql)
	}
}

// The next tenant on the connection does not see a setting that a hidden function has left.
func TestHiddenFunctionsLeaveNothing(t *testing.T) {
	t.Parallel()
	for _, c := range hidden {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			if pgtest.Version(t) < c.since {
				t.Skip("this server has no such thing")
			}
			f := setup(t)
			f.shareSchema(t, c.shared)
			sql := c.sql
			if sql == "" {
				sql = "select body from papers"
			}
			for _, schema := range []string{"tenant_a", "tenant_b"} {
				f.exec(t, fmt.Sprintf("begin; set local search_path = %s; %s; %s; commit", schema, papersSQL, c.setup))
			}
			left := 0
			for _, hardened := range []bool{false, true} {
				if hardened {
					_, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
					require.NoError(t, err)
				}
				for _, level := range []schemactx.Level{schemactx.PathOnly, schemactx.Roles} {
					l := &leveled{fixture: f, level: level}
					l.open(t)
					left += l.expectNothingLeft(t, sql)
					l.pool.Close()
				}
			}
			assert.NotZero(t, left, "the statement leaves nothing on a plain connection: the test shows nothing")
		})
	}
}

// expectNothingLeft runs tenant_b's statement in every kind of unit of work. After each, tenant_a
// must not see its setting. It returns how often tenant_b itself saw the setting.
func (l *leveled) expectNothingLeft(t *testing.T, sql string) (left int) {
	t.Helper()
	const level = "select coalesce(current_setting('app.level', true), ''), pg_backend_pid()"
	var pid int
	for name, run := range units {
		for range 2 { // cold and warm
			err := run(in(t, "tenant_b"), l.db, sql)
			if err != nil && !hasState(err, "42501") { // hardening has revoked a built-in function
				require.NoError(t, err, name)
			}
			var got string
			var now int
			require.NoError(t, l.db.QueryRow(in(t, "tenant_a"), level).Scan(&got, &now), name)
			assert.Empty(t, got, "after a %s of %s at %s", name, sql, l.level)
			assert.True(t, pid == 0 || pid == now, "another connection after a %s", name)
			pid = now
			if err := run(in(t, "tenant_b"), l.db, sql); err == nil {
				require.NoError(t, l.db.QueryRow(in(t, "tenant_b"), level).Scan(&got, &now), name)
				left += min(1, len(got))
			}
			l.expectOutside(t, name)
		}
	}
	return left
}

// leftovers are what a function can leave in a session, and how the next tenant would find it.
var leftovers = map[string]struct{ leave, look string }{
	"lock": {
		"perform pg_advisory_lock(7)",
		"select count(*)::text from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
	},
	"listen": {"execute 'listen gossip'", "select count(*)::text from pg_listening_channels()"},
	"cursor": {
		"execute 'declare c cursor with hold for select 1'",
		"select count(*)::text from pg_cursors where name = 'c'",
	},
	"prepared": {
		"execute 'prepare mine as select 1'; execute 'deallocate mine'; execute 'prepare mine as select 2'",
		"select count(*)::text from pg_prepared_statements where name = 'mine'",
	},
	"deallocated": {"execute 'deallocate all'", "select count(*)::text from notes where body <> 'tenant_a'"},
	"temporary": {
		"execute 'create temp table if not exists draft (x int)'",
		"select count(*)::text from pg_class where relname = 'draft'",
	},
	"sequence": {
		"perform nextval('tenant_b.papers_id_seq')",
		"select count(*)::text from papers where id = (select currval('tenant_b.papers_id_seq'))",
	},
	"path": {
		"perform set_config('search_path', 'tenant_b', false)",
		"select count(*)::text from notes where body <> 'tenant_a'",
	},
	"role": {"", "select count(*)::text from notes where body <> 'tenant_a'"},
}

// Whatever a hidden function leaves in the session, the next tenant does not find it.
func TestNothingIsLeftOnAConnection(t *testing.T) {
	t.Parallel()
	for name, c := range leftovers {
		for _, level := range []schemactx.Level{schemactx.PathOnly, schemactx.Roles} {
			t.Run(name+"/"+level.String(), func(t *testing.T) {
				t.Parallel()
				l := &leveled{fixture: setup(t), level: level}
				leave := c.leave
				if name == "role" {
					leave = fmt.Sprintf("perform set_config('role', '%s', false)", l.roles.Tenant("tenant_b"))
				}
				switch {
				case name == "temporary" && level != schemactx.PathOnly:
					t.Skip("tenants cannot make temporary objects")
				case name == "role" && level == schemactx.PathOnly:
					t.Skip("the login can take no tenant's role")
				}
				for _, schema := range []string{"tenant_a", "tenant_b"} {
					l.inSchema(t, schema, papersSQL)
				}
				l.inSchema(t, "tenant_b", "create function f() returns boolean language plpgsql as $f$ begin "+leave+
					"; return true; end $f$; create view v as select body from papers where f()")
				l.open(t)
				var pid int
				for way, run := range units {
					err := run(in(t, "tenant_b"), l.db, "select body from v")
					if name == "cursor" && hasState(err, "42P03") {
						continue // the tenant's own cursor from before
					}
					if name == "deallocated" && hasState(err, "26000") {
						err = nil // a batch's prepared statement is gone, and nothing has run
					}
					if err != nil {
						assert.ErrorIs(t, err, schemactx.ErrScopeChanged, way) // the path, if the server reports it
					}
					var got string
					var now int
					err = l.db.QueryRow(in(t, "tenant_a"), "select coalesce(("+c.look+"), ''), pg_backend_pid()").Scan(&got, &now)
					if name == "sequence" {
						require.Error(t, err, way) // 55000, or no privilege
						continue
					}
					require.NoError(t, err, way)
					assert.Equal(t, "0", got, way)
					if name != "path" && name != "role" {
						assert.True(t, pid == 0 || pid == now, "another connection after a %s", way)
					}
					pid = now
					expectNote(t, in(t, "tenant_a"), l.db, "tenant_a")
					expectNote(t, in(t, "tenant_b"), l.db, "tenant_b")
					l.expectOutside(t, way)
				}
			})
		}
	}
}

// If a view calls a function that changes the role or the path, that is found before the next
// statement of the transaction or batch.
func TestScopeChangedOutOfSight(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		for name, change := range map[string]string{
			"role": fmt.Sprintf("set_config('role', '%s', true)", f.roles.Tenant("tenant_b")),
			"path": "set_config('search_path', 'tenant_b', true)",
		} {
			f.exec(t, fmt.Sprintf(`create function %s.take_%s() returns boolean language sql as $$ select %s is not null $$;
				create view %[1]s.v_%[2]s as select 1 as one where %[1]s.take_%[2]s();
				create function %[1]s.tr_%[2]s() returns trigger language plpgsql as $$ begin perform %[3]s; return new; end $$;
				create table %[1]s.t_%[2]s (id int);
				create trigger t before insert on %[1]s.t_%[2]s for each row
					execute function %[1]s.tr_%[2]s()`, schema, name, change))
		}
	}
	ctx := in(t, "tenant_a")
	for _, name := range []string{"role", "path"} {
		for _, sql := range []string{"select one from v_" + name, "insert into t_" + name + " values (1)"} {
			for depth := range 3 {
				err := f.db.InTx(ctx, func(tx pgx.Tx) error {
					return nestedTx(ctx, tx, depth, func(tx pgx.Tx) error {
						if _, err := tx.Exec(ctx, sql); err != nil {
							return err
						}
						body, _, err := note(ctx, tx)
						assert.ErrorIs(t, err, schemactx.ErrScopeChanged, "%s at depth %d read %q", sql, depth, body)
						return nil
					})
				})
				require.ErrorIs(t, err, schemactx.ErrTransactionEnded, "%s at depth %d", sql, depth)
			}
			b := &pgx.Batch{}
			b.Queue(sql)
			b.Queue("select body from notes")
			require.ErrorIs(t, f.db.SendBatch(ctx, b).Close(), schemactx.ErrScopeChanged, sql)

			if name == "path" && pgtest.Version(t) >= 18 {
				continue // the server reports the path, so the statement itself fails
			}
			require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
				inner, err := tx.Begin(ctx)
				require.NoError(t, err)
				_, err = inner.Exec(ctx, sql)
				require.NoError(t, err)
				require.NoError(t, inner.Rollback(ctx)) // undoes the change
				expectNote(t, ctx, tx, "tenant_a")
				return nil
			}), sql)
			expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
		}
	}
}

// nestedTx runs fn inside of depth savepoints.
func nestedTx(ctx context.Context, tx pgx.Tx, depth int, fn func(pgx.Tx) error) error {
	if depth == 0 {
		return fn(tx)
	}
	return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return nestedTx(ctx, tx, depth-1, fn) })
}
