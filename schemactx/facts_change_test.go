package schemactx_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// Functions that are created while the DB serves are found at the next comparison, and at once
// after Refresh. The state that the last tenant left on a connection before that is removed too.
func TestFunctionsCreatedWhileServing(t *testing.T) {
	t.Parallel()
	for name, notice := range map[string]func(*schemactx.DB){
		"look":    (*schemactx.DB).LookNow,
		"Refresh": func(db *schemactx.DB) { db.Refresh("tenant_b") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &leveled{fixture: setup(t), level: schemactx.Roles}
			l.shareSchema(t, settingFunc("shared.f()", ""))
			l.inSchema(t, "tenant_b", papersSQL+"; create view v as select body from papers")
			l.open(t)
			const look = "select coalesce(current_setting('app.level', true), ''), pg_backend_pid()"
			var before, pid int
			var got string
			read := func(schema string) {
				require.NoError(t, l.db.QueryRow(in(t, schema), look).Scan(&got, &pid))
			}
			use := func() {
				var body string
				require.NoError(t, l.db.QueryRow(in(t, "tenant_b"), "select body from v").Scan(&body))
			}
			use()
			read("tenant_a")
			before = pid
			use()
			l.inSchema(t, "tenant_b", "create function here() returns boolean language sql as 'select shared.f()'; "+
				"drop view v; create view v as select body from papers where here(); "+
				"grant select on v to "+l.roles.Tenant("tenant_b"))
			use() // the DB does not know the function yet
			notice(l.db)
			if name == "look" {
				expectNote(t, in(t, "tenant_b"), l.db, "tenant_b") // compares the fingerprint
			}
			for range 3 {
				read("tenant_a")
				assert.Empty(t, got)
				assert.Equal(t, before, pid)
				use()
			}
		})
	}
}

// A tenant's DDL through the DB is known to its next statement.
func TestFunctionsCreatedByTheDB(t *testing.T) {
	t.Parallel()
	l := &leveled{fixture: setup(t), level: schemactx.PathOnly}
	l.open(t)
	ctx := in(t, "tenant_b")
	expectNote(t, ctx, l.db, "tenant_b")
	for _, sql := range []string{
		settingFunc("f()", ""), "create view v as select body from notes where f()", "select body from v",
	} {
		_, err := l.db.Exec(ctx, sql)
		require.NoError(t, err)
	}
	expectNote(t, in(t, "tenant_a"), l.db, "tenant_a") // scrubs
	_, err := l.db.Exec(ctx, "select body from v")
	require.NoError(t, err)
	var got string
	require.NoError(
		t,
		l.db.QueryRow(in(t, "tenant_a"), "select coalesce(current_setting('app.level', true), '')").Scan(&got),
	)
	assert.Empty(t, got)
}

// If the login cannot read the catalogs, every statement works and counts as one that may leave
// session state.
func TestUnreadableCatalogs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		f.exec(t, fmt.Sprintf("begin; set local search_path = %s; %s; %s; commit", schema, papersSQL,
			settingFunc("f()", "")+"; create view v as select body from papers where f()"))
	}
	_, err := f.pg.Pool.Exec(t.Context(), "revoke select on pg_catalog.pg_policy from public")
	require.NoError(t, err)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec} {
		for name, run := range units {
			db := f.openMode(t, mode)
			for range 2 {
				require.NoError(t, run(in(t, "tenant_b"), db, "select body from v"), name)
				var got string
				require.NoError(
					t,
					db.QueryRow(in(t, "tenant_a"), "select coalesce(current_setting('app.level', true), '')").Scan(&got),
				)
				assert.Empty(t, got, name)
				n, err := db.CopyFrom(in(t, "tenant_a"), pgx.Identifier{"papers"}, []string{"body"}, rowsOf([]any{"x"}))
				require.NoError(t, err)
				assert.EqualValues(t, 1, n)
			}
		}
	}
	db := f.openMode(t, pgx.QueryExecModeExec)
	n, err := db.CopyFrom(in(t, "tenant_a"), pgx.Identifier{"papers"}, []string{"body"}, rowsOf([]any{"x"}))
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

// In schemas whose functions leave nothing, reads do not cause a scrub.
func TestHarmlessSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.shareSchema(t, "create or replace function shared.twice(int) returns int language sql immutable as 'select $1 * 2'")
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		f.exec(t, fmt.Sprintf("begin; set local search_path = %s; %s; commit", schema, papersSQL+`;
			alter table papers add uid uuid default gen_random_uuid(), add seen timestamptz default now(), add check (id > 0);
			create function slug(t text) returns text language plpgsql immutable as $$
				begin return lower(regexp_replace(t, '\s+', '-', 'g')); end $$;
			create function touch() returns trigger language plpgsql as $$ begin new.seen := now(); return new; end $$;
			create trigger touch before update on papers for each row execute function touch();
			create domain email as text check (value ~ '@');
			create view v as select p.id, slug(p.body) as body, shared.twice(p.id::int) as double, random() as r from papers p;
			alter table papers enable row level security;
			create policy p on papers using (body <> '' and current_user is not null)`))
	}
	read := func() {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			for _, sql := range []string{
				"select body from v", "select v.body from v", "select p.body, 'a@b'::email from papers as p",
			} {
				_, err := f.db.Exec(in(t, schema), sql)
				require.NoError(t, err)
			}
		}
	}
	read()
	before := f.db.Stats().Scrubs
	for range 5 {
		read()
	}
	assert.Equal(t, before, f.db.Stats().Scrubs)
}

// At level Logins the session belongs to the tenant. If a hidden function has changed its path, the
// next statement finds that. Functions that run at COMMIT may change it too.
func TestPathChangedByHiddenFunctionsAtLogins(t *testing.T) {
	t.Parallel()
	if pgtest.Version(t) >= 18 {
		t.Skip("the server reports the path, so that the statement itself is the error")
	}
	f := setup(t)
	f.exec(t, `begin; set local search_path = tenant_a; `+papersSQL+`;
		create function f() returns text language sql as $$ select set_config('search_path', 'nowhere', false) $$;
		create view v as select body from papers where f() <> '';
		create function tr() returns trigger language plpgsql as $$ begin perform f(); return null; end $$;
		create constraint trigger t after update on papers deferrable initially deferred for each row execute function tr();
		commit`)
	db := loginDB(t, f, schemactx.Config{Logins: schemactx.LoginsConfig{MaxConns: 1}})
	for name, run := range units {
		for _, sql := range []string{"select body from v", "update papers set body = 'y'"} {
			expectNote(t, in(t, "tenant_a"), db, "tenant_a")
			if err := run(in(t, "tenant_a"), db, sql); err != nil {
				require.ErrorIs(t, err, schemactx.ErrScopeChanged, "%s as a %s", sql, name) // found within the batch
			}
			body, _, err := note(in(t, "tenant_a"), db)
			if err != nil {
				require.ErrorIs(t, err, schemactx.ErrScopeChanged, "%s as a %s", sql, name)
			} else {
				require.Equal(t, "tenant_a", body)
			}
		}
	}
}
