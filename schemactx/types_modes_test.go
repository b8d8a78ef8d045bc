package schemactx_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestTypesOfOtherSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create schema shared; create type shared.mood as enum ('sad', 'ok', 'happy'); "+
		"grant usage on schema shared to public; create type tenant_a.mood as enum ('sad', 'ok', 'happy'); "+
		"create type public.address as (street text, feels shared.mood, zip int)")
	db := f.open(
		t,
		schemactx.Config{Types: []string{"mood", "shared.mood", "address", "public.address", "no.such", "nothing"}},
		1,
	)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		roundTrip(t, in(t, schema), db, schema, "shared.mood[]", []mood{"ok"})
		roundTrip(t, in(t, schema), db, schema, "public.address", address{"x", "ok", 1})
	}
	roundTrip(t, in(t, "tenant_a"), db, "", "mood[]", []mood{"happy"})
	roundTrip(t, schemactx.NewPublicContext(t.Context()), db, "public", "address[]", []address{{"x", "ok", 1}})
}

func TestTypesInUnnamedStatements(t *testing.T) {
	t.Parallel()
	f := setupTypes(t)
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Runtime(), runtimePassword))
	require.NoError(t, err)
	cfg.MaxConns, cfg.ConnConfig.DefaultQueryExecMode = 1, pgx.QueryExecModeExec
	db := f.openWith(t, cfg, schemactx.Config{Types: append([]string{"people"}, typeNames...)})
	for range 2 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			ctx := in(t, schema)
			var lives address
			sql := "select lives from people where feels = any($1::mood[]) order by id"
			require.NoError(t, db.QueryRow(ctx, sql, []string{"sad"}).Scan(&lives))
			assert.Equal(t, address{schema + " street", "ok", 1}, lives)
			roundTrip(t, ctx, db, "exec", "mood", mood("ok"))
			for name, value := range typed {
				roundTrip(t, ctx, db, "exec", name, value)
				require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
					roundTrip(t, ctx, tx, "exec in a transaction", name, value)
					return nil
				}))
			}
			batch := &pgx.Batch{}
			batch.Queue("select $1::text", "plain")
			batch.Queue("select count(*) from people where feels = any($1::mood[])", []mood{"happy"}).
				QueryRow(func(row pgx.Row) error {
					var n int
					require.NoError(t, row.Scan(&n))
					assert.Equal(t, 1, n)
					return nil
				})
			batch.Queue("select $1::address", address{"x", "ok", 1}).QueryRow(func(row pgx.Row) error {
				var got address
				require.NoError(t, row.Scan(&got))
				assert.Equal(t, address{"x", "ok", 1}, got)
				return nil
			})
			require.NoError(t, db.SendBatch(ctx, batch).Close())
			batch = &pgx.Batch{}
			batch.Queue(sql, []string{"happy"}).QueryRow(func(row pgx.Row) error { return row.Scan(&lives) })
			require.NoError(t, db.SendBatch(ctx, batch).Close())
			assert.Equal(t, address{schema + " road", "sad", 2}, lives)
			_, err := db.CopyFrom(
				ctx,
				pgx.Identifier{"people"},
				[]string{"id", "lives"},
				pgx.CopyFromRows([][]any{{9, address{"c", "ok", 9}}}),
			)
			require.NoError(t, err)
			_, err = db.Exec(ctx, "delete from people where id = 9")
			require.NoError(t, err)
		}
	}
	f.exec(t, "create type tenant_a.later as enum ('x'); create type tenant_a.pair as (a tenant_a.later, b int)")
	db = f.openWith(t, cfg, schemactx.Config{Types: []string{"pair", "mood"}})
	var m mood
	require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select 'ok'::mood").Scan(&m))
	f.exec(t, "drop type tenant_a.pair; create type tenant_a.pair as (a tenant_a.later, b int)")
	type pair struct {
		A string
		B int
	}
	var p pair
	err = db.QueryRow(in(t, "tenant_a"), "select ('x', 1)::pair").Scan(&p)
	if err != nil { // the first result with the type reveals it
		require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select ('x', 1)::pair").Scan(&p))
	}
	assert.Equal(t, pair{"x", 1}, p)
}

func TestNewRefusesInvalidTypeNames(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for _, name := range []string{"", ".", "a.", ".a", "a.b.c", "mood[]", "a\x00", `"Mood"`, "\xff"} {
		_, err := schemactx.New(pool, schemactx.Config{Types: []string{"mood", name}})
		require.Error(t, err, "%q", name)
	}
	_, err = schemactx.New(pool, schemactx.Config{Types: []string{"mood", "mood"}})
	require.Error(t, err)
	_, err = schemactx.New(pool, schemactx.Config{Types: []string{"mood", "shared.mood", "Mixed Case", "ünï"}})
	require.NoError(t, err)
}

// Types cost one round trip for each connection and schema if a statement has one, and otherwise
// none.
func TestTypesAreLoadedOnceWhenNeeded(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		makeTypes(t, w.fixture, schema)
		w.exec(t, "create type "+schema+".other as enum ('x')")
	}
	var err error
	w.db, err = schemactx.New(w.pool, schemactx.Config{Roles: w.roles, Types: typeNames})
	require.NoError(t, err)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		trips := func(what string, want int, sql string, args ...any) {
			t.Helper()
			got, err := w.proxy.during(func() error {
				_, err := w.db.Exec(in(t, schema), sql, args...)
				return err
			})
			require.NoError(t, err, what)
			assert.Equal(t, want, got.trips, "%s in %s: %s", what, schema, got)
		}
		trips("without types", 2, "select body from notes where id = $1", 1)
		trips("without types, again", 1, "select body from notes where id = $1", 1)
		trips("the first with types", 3, "select 1 from people where feels = any($1::mood[])", []mood{"ok"})
		trips("the first with types, again", 1, "select 1 from people where feels = any($1::mood[])", []mood{"ok"})
		trips("another with types", 2, "select lives from people where id = $1", 1)
		trips("a type that is not registered", 3, "select 'x'::other")
		trips("a type that is not registered, again", 1, "select 'x'::other")
		trips("another with it", 2, "select 'x'::other, 2")
		trips("with types after it", 1, "select lives from people where id = $1", 1)
	}
	// A transaction whose snapshot does not show a new type; the next transaction finds it.
	ctx := in(t, "tenant_a")
	opts := schemactx.TxOptions{TxOptions: pgx.TxOptions{IsoLevel: pgx.RepeatableRead}}
	require.NoError(t, w.db.InTxOptions(ctx, opts, func(tx pgx.Tx) error {
		expectNote(t, ctx, tx, "tenant_a")
		w.exec(
			t,
			"drop table tenant_a.people; drop type tenant_a.moodrange; create type tenant_a.moodrange as range (subtype = "+
				"tenant_a.mood)",
		)
		_, err := tx.Exec(ctx, "select '[sad,ok]'::moodrange")
		return err
	}))
	roundTrip(t, ctx, w.db, "", "moodrange", typed["moodrange"])
}

// Types of extensions have their own codecs in pgx or none. They and their arrays are sent as text.
func TestTypesOfExtensions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.pg.Pool.Exec(t.Context(), "create schema extensions; create extension citext schema extensions; "+
		"create extension hstore schema extensions; grant usage on schema extensions to public")
	require.NoError(t, err)
	f.exec(t, `create domain tenant_a.email as extensions.citext;
		create type tenant_a.contact as (mail extensions.citext, more extensions.hstore, n int)`)
	db := f.open(t, schemactx.Config{
		ExtraSearchPath: []string{
			"extensions",
		},
		Types: []string{"extensions.citext", "extensions.hstore", "email", "contact"},
	}, 1)
	ctx := in(t, "tenant_a")
	type contact struct {
		Mail, More string
		N          int32
	}
	roundTrip(t, ctx, db, "", "citext", "ADA@example.com")
	roundTrip(t, ctx, db, "", "citext[]", []string{"ADA@example.com", `"`})
	roundTrip(t, ctx, db, "", "email[]", []string{"ADA@example.com"})
	roundTrip(t, ctx, db, "", "contact", contact{"ADA@example.com", `"a"=>"b"`, 1})
	roundTrip(t, ctx, db, "", "contact[]", []contact{{"ADA@example.com", `"a"=>"b"`, 1}})
	var same bool
	require.NoError(
		t,
		db.QueryRow(ctx, "select 'ada@example.com'::citext = any($1::citext[])", []string{"ADA@example.com"}).Scan(&same),
	)
	assert.True(t, same)
}
