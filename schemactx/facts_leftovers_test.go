package schemactx_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

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
func TestScopeChangedByHiddenFunctions(t *testing.T) {
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
