package schemactx_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestStatementsOfTwoTenantsOnOneConnection(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, first, err := note(in(t, "tenant_a"), f.db)
	require.NoError(t, err)
	for range 3 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			body, pid, err := note(in(t, schema), f.db)
			require.NoError(t, err)
			require.Equal(t, first, pid, "backend %d answered, want %d: the test needs a single connection", pid, first)
			assert.Equal(t, schema, body, "in %s: read the note of %s", schema, body)
		}
	}
}

func TestNoSchemaIsAnError(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := t.Context()
	_, err := f.db.Exec(ctx, "select 1")
	assert.ErrorIs(t, err, schemactx.ErrNoSchema)
	rows, err := f.db.Query(ctx, "select 1")
	assert.ErrorIs(t, err, schemactx.ErrNoSchema)
	if assert.False(t, rows.Next(), "rows of a statement that never ran") {
		assert.Error(t, rows.Err(), "rows of a statement that never ran")
	}
	assert.ErrorIs(t, f.db.QueryRow(ctx, "select 1").Scan(nil), schemactx.ErrNoSchema)
	_, err = f.db.Begin(ctx)
	assert.ErrorIs(t, err, schemactx.ErrNoSchema)
}

func TestQualifiedNameOfAnotherTenantIsDenied(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, sql := range []string{
		"select * from tenant_b.notes",
		"table tenant_b.notes",
		"select n.* from notes join tenant_b.notes n using (id)",
		"with x as (select * from tenant_b.notes) select * from x",
		"insert into tenant_b.notes values (2, 'a was here')",
		"update tenant_b.notes set body = 'a was here'",
		"delete from tenant_b.notes",
		"truncate tenant_b.notes",
		"create table tenant_b.more (id int)",
		"create table more (id int)",
		"create temp table notes (id int)",
	} {
		_, err := f.db.Exec(in(t, "tenant_a"), sql)
		expectState(t, err, "42501")
	}
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

// PathOnly isolates by the search path only: another tenant's table can be read by its qualified
// name, as documented.
func TestPathOnlyStopsUnqualifiedNamesAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(
		t,
		fmt.Sprintf(
			`grant usage on schema tenant_a, tenant_b to %[1]s; grant select on tenant_a.notes, tenant_b.notes to %[1]s`,
			f.roles.Runtime(),
		),
	)
	db := f.open(t, schemactx.Config{Level: schemactx.PathOnly}, 1)
	expectNote(t, in(t, "tenant_a"), db, "tenant_a")
	expectNote(t, in(t, "tenant_b"), db, "tenant_b")
	var leaked string
	require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select body from tenant_b.notes").Scan(&leaked))
	assert.Equal(t, "tenant_b", leaked, "read")
	_, _, err := note(in(t, "tenant_c"), db)
	assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
}

func TestRuntimeLoginAloneReadsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	conn := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	for _, sql := range []string{
		"select * from tenant_a.notes", "create table t (id int)", "create temp table t (id int)", "create schema s",
	} {
		_, err := conn.Exec(t.Context(), sql)
		expectState(t, err, "42501")
	}
	var granted int
	require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select count(*) from information_schema.role_table_grants
		where grantee = $1`, f.roles.Runtime()).Scan(&granted))
	assert.Equal(t, 0, granted, "the runtime login has %d grants of its own", granted)
}

func TestSchemaThatDoesNotExist(t *testing.T) {
	t.Parallel()
	f := setup(t)
	// A table of that name in public must not be found instead.
	f.exec(
		t,
		"create table public.notes (id int, body text); insert into public.notes values (1, 'public'); "+
			"grant select on public.notes to "+f.roles.Public(),
	)
	_, _, err := note(in(t, "tenant_missing"), f.db)
	assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
	expectState(t, err, "3F000")
	err = f.db.InTx(in(t, "tenant_missing"), func(tx pgx.Tx) error {
		_, _, err := note(in(t, "tenant_missing"), tx)
		assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
		_, _, err = note(in(t, "tenant_missing"), tx)
		assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
		return nil // the transaction returns the error again to a caller who ignores it
	})
	assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
}

func TestSchemaWithoutARole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create schema bare")
	_, err := f.db.Exec(in(t, "bare"), "select 1")
	assert.ErrorIs(t, err, schemactx.ErrNotProvisioned)
}

func TestInvalidNameReachesNoServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, name := range []string{"", "public", `x", "tenant_b`, "tenant_a, tenant_b", "TENANT_A"} {
		_, err := f.db.Exec(schemactx.NewContext(t.Context(), name), "select 1")
		assert.Error(t, err, "a statement ran in %q", name)
	}
}

func TestPublicScope(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(
		t,
		"create table public.plans (name text); insert into public.plans values ('basic'); "+
			"grant select on public.plans to "+f.roles.Public(),
	)
	ctx := schemactx.NewPublicContext(in(t, "tenant_a"))
	var plan string
	require.NoError(t, f.db.QueryRow(ctx, "select name from plans").Scan(&plan))
	assert.Equal(t, "basic", plan, "read")
	_, err := f.db.Exec(ctx, "select * from tenant_a.notes")
	expectState(t, err, "42501")
	_, err = f.db.Exec(in(t, "tenant_a"), "select * from public.plans")
	expectState(t, err, "42501")
}

func TestStatementThatChangesTheSessionIsNotSent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, before, err := note(in(t, "tenant_a"), f.db)
	require.NoError(t, err)
	for _, sql := range []string{
		"set search_path to tenant_b", "set role none", "reset role", "reset all", "set session authorization default",
		"discard all", "listen gossip", "begin", "prepare p as select 1", "set statement_timeout to 1",
		"/* x */ ; SET ROLE x",
	} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec} {
			_, err := f.db.Exec(in(t, "tenant_a"), sql, mode)
			assert.ErrorIs(t, err, schemactx.ErrScopeChanged)
		}
		body, after, err := note(in(t, "tenant_b"), f.db)
		require.NoError(t, err)
		assert.Equal(t, "tenant_b", body, "after %q: read the note of %s on backend %d, want %d", sql, body, after, before)
		assert.Equal(t, before, after, "after %q: read the note of %s on backend", sql, body)
	}
	_, err = f.db.Exec(in(t, "tenant_a"), "copy notes from stdin")
	assert.ErrorIs(t, err, schemactx.ErrCopy)
}

// pgx's statement cache uses the text of statements as its key. With two tenants whose types differ
// that fails with 42804 or reads the wrong columns.
func TestSameStatementOverDifferentTables(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create type tenant_a.mood as enum ('low', 'high'); create table tenant_a.moods (id int, m tenant_a.mood)")
	f.exec(
		t,
		"create type tenant_b.mood as enum ('high', 'low'); "+
			"create table tenant_b.moods (id int, extra text, m tenant_b.mood)",
	)
	for range 3 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			_, err := f.db.Exec(in(t, schema), "insert into moods (id, m) values ($1, $2)", 1, "low")
			require.NoError(t, err)
			rows, err := f.db.Query(in(t, schema), "select * from moods")
			require.NoError(t, err)
			got, err := pgx.CollectRows(rows, pgx.RowToMap)
			require.NoError(t, err)
			_, extra := got[0]["extra"]
			if assert.Equal(t, schema == "tenant_b", extra, "in %s: %v", schema, got) {
				assert.Equal(t, "low", got[0]["m"], "in %s: %v", schema, got)
			}
		}
	}
}

func TestStatementAfterItsTableChanged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	columns := func() int {
		rows, err := f.db.Query(ctx, "select * from notes")
		require.NoError(t, err)
		defer rows.Close()
		return len(rows.FieldDescriptions())
	}
	for _, step := range []struct {
		sql  string
		want int
	}{
		{"select 1", 2},
		{"alter table tenant_a.notes add column more text", 3},
		{"alter table tenant_a.notes drop column more", 2},
		{"drop table tenant_a.notes; create table tenant_a.notes (only_one int)", 1},
	} {
		f.exec(t, step.sql)
		got := columns()
		assert.Equal(t, step.want, got, "after %q: %d columns, want", step.sql, got)
	}
}

func TestStatementCacheIsBounded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{StatementCacheCapacity: 5}, 1)
	for i := range 50 {
		_, err := db.Exec(in(t, "tenant_a"), fmt.Sprintf("select %d + $1::int", i), 1)
		require.NoError(t, err)
	}
	var prepared int
	require.NoError(
		t,
		db.QueryRow(in(t, "tenant_a"), "select count(*) from pg_prepared_statements where name !~ '^pgtenant_own_'").
			Scan(&prepared),
	)
	// five, the last one stored, and the one that it will evict
	assert.LessOrEqual(t, prepared, 7, "%d statements are prepared, want at most 7", prepared)
	stats := db.Stats()
	assert.Equal(t, int64(51), stats.Misses, "stats %+v, want 51 misses and 46 evictions", stats)
	assert.Equal(t, int64(46), stats.Evicted, "stats %+v, want 51 misses and 46 evictions", stats)
}

func TestExecModeNeedsNoPreparedStatements(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for range 2 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			var body string
			var prepared int
			err := f.db.QueryRow(in(t, schema), "select body, (select count(*) from pg_prepared_statements) from notes where "+
				"id = $1",
				pgx.QueryExecModeExec, 1).
				Scan(&body, &prepared)
			require.NoError(t, err)
			assert.Equal(t, schema, body, "in %s: read the note of %s with %d prepared statements", schema, body, prepared)
			assert.Equal(t, 0, prepared, "in %s: read the note of %s with %d prepared statements", schema, body, prepared)
		}
	}
}

func TestArgumentsAndResultsOfPgx(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	var n int
	var tags []string
	var doc map[string]any
	var none *string
	require.NoError(t, f.db.QueryRow(
		ctx,
		"select @n::int, @tags::text[], @doc::jsonb, @none::text",
		pgx.NamedArgs{
			"n":    7,
			"tags": []string{"a", "b"},
			"doc":  map[string]any{"k": "v"},
			"none": nil,
		},
	).Scan(&n, &tags, &doc, &none))
	assert.Equal(t, 7, n, "got %v %v %v %v", n, tags, doc, none)
	assert.Len(t, tags, 2, "got %v %v %v %v", n, tags, doc, none)
	assert.Equal(t, "v", doc["k"], "got %v %v %v %v", n, tags, doc, none)
	assert.Nil(t, none, doc)

	type row struct {
		ID   int
		Body string
	}
	rows, err := f.db.Query(
		ctx,
		"select body, id from notes",
		pgx.QueryResultFormats{pgx.TextFormatCode, pgx.BinaryFormatCode},
	)
	require.NoError(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	require.NoError(t, err)
	if assert.Len(t, notes, 1) {
		assert.Equal(t, row{1, "tenant_a"}, notes[0])
	}

	var id int
	var body string
	require.NoError(t, f.db.QueryRow(ctx, "select row(id, body) from notes").Scan(pgtype.CompositeFields{&id, &body}))
	assert.Equal(t, 1, id, "read the composite (%d, %q)", id, body)
	assert.Equal(t, "tenant_a", body, "read the composite (%d, %q)", id, body)
	rows, err = f.db.Query(
		ctx,
		"select id, body from notes",
		pgx.QueryResultFormatsByOID{pgtype.Int4OID: pgx.TextFormatCode},
	)
	require.NoError(t, err)
	for rows.Next() {
		assert.Equal(t, "1", string(rows.RawValues()[0]))
		assert.Equal(t, "id", rows.FieldDescriptions()[0].Name)
		assert.NotNil(t, rows.TypeMap())
	}
	require.NoError(t, rows.Err())

	assert.ErrorIs(t, f.db.QueryRow(ctx, "select 1 where false").Scan(&n), pgx.ErrNoRows)
	_, err = f.db.Exec(ctx, "select $1::int")
	assert.Error(t, err, "a missing argument was not noticed")
	tag, err := f.db.Exec(ctx, "update notes set body = body")
	require.NoError(t, err)
	assert.Equal(t, int64(1), tag.RowsAffected(), "tag %s", tag)
	_, err = f.db.Exec(ctx, "")
	require.NoError(t, err)
}

func TestErrorsLeaveTheConnectionUsable(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, before, err := note(in(t, "tenant_a"), f.db)
	require.NoError(t, err)
	for _, sql := range []string{"selec", "select 1/0", "select * from nowhere", "insert into notes values (1, 'twice')"} {
		_, err := f.db.Exec(in(t, "tenant_a"), sql)
		assert.Error(t, err, "%q did not fail", sql)
	}
	rows, err := f.db.Query(in(t, "tenant_a"), "select 1 / (3 - n) from generate_series(1, 10) n")
	require.NoError(t, err)
	for rows.Next() {
	}
	expectState(t, rows.Err(), "22012")
	body, after, err := note(in(t, "tenant_b"), f.db)
	require.NoError(t, err)
	assert.Equal(t, "tenant_b", body, "read %s on backend %d, want tenant_b on %d", body, after, before)
	assert.Equal(t, before, after, "read %s on backend %d, want tenant_b on %d", body, after, before)
}

// A deferred constraint fails at the commit, after the statement has succeeded. Every kind of unit
// of work returns that error.
func TestErrorOfTheImplicitCommit(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create table tenant_a.later (id int unique deferrable initially deferred)")
	const twice = "insert into later values (1), (1)"
	ctx := in(t, "tenant_a")
	batch := &pgx.Batch{}
	batch.Queue(twice)
	batch.Queue("select 1")
	for name, run := range map[string]func() error{
		"alone":      func() error { _, err := f.db.Exec(ctx, twice); return err },
		"unprepared": func() error { _, err := f.db.Exec(ctx, twice, pgx.QueryExecModeExec); return err },
		"unknown calls": func() error {
			_, err := f.db.Exec(ctx, "insert into later select 1 from (select setseed(0), generate_series(1, 2)) x")
			return err
		},
		"block": func() error {
			_, err := f.db.Exec(ctx, "do $$ begin insert into later values (1), (1); end $$")
			return err
		},
		"batch": func() error { return f.db.SendBatch(ctx, batch).Close() },
		"transaction": func() error {
			return f.db.InTx(ctx, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, twice); return err })
		},
		"copy": func() error {
			_, err := f.db.CopyFrom(ctx, pgx.Identifier{"later"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}, {1}}))
			return err
		},
		"after another tenant": func() error {
			_, err := f.db.Exec(in(t, "tenant_b"), "select set_config('app.x', 'y', false)")
			require.NoError(t, err)
			_, err = f.db.Exec(ctx, twice)
			return err
		},
	} {
		err := run()
		var pgErr *pgconn.PgError
		if assert.ErrorAs(t, err, &pgErr, "%s: got %v, want SQLSTATE 23505", name, err) {
			assert.Equal(t, "23505", pgErr.Code, "%s: got %v, want SQLSTATE 23505", name, err)
		}
		var n int
		require.NoError(t, f.db.QueryRow(ctx, "select count(*) from later").Scan(&n))
		assert.Equal(t, 0, n, "%s: %d rows are there", name, n)
	}
}

func TestManyTenantsAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{}, 3)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			schema := []string{"tenant_a", "tenant_b"}[i%2]
			for range 50 {
				body, _, err := note(in(t, schema), db)
				if !assert.NoError(t, err, "in %s: read %q", schema, body) ||
					!assert.Equal(t, schema, body, "in %s: read %q", schema, body) {
					return
				}
			}
		})
	}
	wg.Wait()
}
