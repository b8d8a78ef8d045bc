package schemactx_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// mood is an enum as sqlc generates it.
type mood string

func (m *mood) Scan(src any) error {
	switch s := src.(type) {
	case []byte:
		*m = mood(s)
	case string:
		*m = mood(s)
	default:
		return fmt.Errorf("unsupported scan type for mood: %T", src)
	}
	return nil
}

type address struct {
	Street string
	Feels  mood
	Zip    int32
}

type family struct {
	Name  string
	Homes []address
	Moods []mood
}

// scored contains domains and a type that pgx does not know.
type scored struct {
	Score int32
	Place address
	At    pgtype.Point
	Spell string
}

var typeNames = []string{"family", "mood", "address", "positive", "moods", "home", "moodrange", "scored"}

const typesDDL = `
	create type SCHEMA.mood as enum ('sad', 'ok', 'happy');
	create type SCHEMA.address as (street text, feels SCHEMA.mood, zip int);
	create type SCHEMA.family as (name text, homes SCHEMA.address[], moods SCHEMA.mood[]);
	create domain SCHEMA.positive as int check (value > 0);
	create domain SCHEMA.moods as SCHEMA.mood[];
	create domain SCHEMA.home as SCHEMA.address;
	create type SCHEMA.scored as (score SCHEMA.positive, place SCHEMA.home, at point, spell tsquery);
	create type SCHEMA.moodrange as range (subtype = SCHEMA.mood);
	create table SCHEMA.people (id int primary key, feels SCHEMA.mood, lives SCHEMA.address);
	insert into SCHEMA.people values (1, 'sad', ('SCHEMA street', 'ok', 1)), (2, 'happy', ('SCHEMA road', 'sad', 2));`

// makeTypes creates the types in a schema.
func makeTypes(t *testing.T, f *fixture, schema string) {
	t.Helper()
	f.exec(t, strings.ReplaceAll(typesDDL, "SCHEMA", schema))
}

func setupTypes(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	makeTypes(t, f, "tenant_a")
	makeTypes(t, f, "tenant_b")
	return f
}

// typed has an argument of each kind of type.
var typed = map[string]any{
	"mood":       mood("happy"),
	"mood[]":     []mood{"sad", "happy"},
	"address":    address{"Hill \"1\", (a)", "ok", 7},
	"address[]":  []address{{"x", "sad", 1}, {"y", "happy", 2}},
	"family":     family{"Okafor", []address{{"x", "sad", 1}}, []mood{"ok"}},
	"family[]":   []family{{"Okafor", []address{{"x", "sad", 1}}, []mood{"ok"}}},
	"positive":   int32(3),
	"positive[]": []int32{1, 2},
	"moods":      []mood{"ok", "ok"},
	"home":       address{"z", "ok", 9},
	"home[]":     []address{{"z", "ok", 9}},
	"scored":     scored{5, address{"x", "ok", 1}, pgtype.Point{P: pgtype.Vec2{X: 1, Y: 2}, Valid: true}, "'fat'"},
	"moodrange": pgtype.Range[mood]{
		Lower:     "sad",
		Upper:     "happy",
		LowerType: pgtype.Inclusive,
		UpperType: pgtype.Inclusive,
		Valid:     true,
	},
	"moodmultirange": pgtype.Multirange[pgtype.Range[mood]]{
		{Lower: "sad", Upper: "ok", LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true},
	},
	"moodrange[]": []pgtype.Range[mood]{
		{Lower: "sad", Upper: "ok", LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true},
	},
	"people": struct {
		ID    int32
		Feels mood
		Lives address
	}{4, "ok", address{"s", "sad", 5}},
	"text": "plain",
}

func TestTypesOfTwoTenantsOnOneConnection(t *testing.T) {
	t.Parallel()
	f := setupTypes(t)
	names := append([]string{"people"}, typeNames...)
	owner, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Owner(), ownerPassword))
	require.NoError(t, err)
	owner.MaxConns = 1
	dbs := map[string]*schemactx.DB{
		"Roles":    f.open(t, schemactx.Config{Types: names}, 1),
		"PathOnly": f.openWith(t, owner, schemactx.Config{Level: schemactx.PathOnly, Types: names}),
		"Logins":   loginDB(t, f, schemactx.Config{Types: names}),
	}
	for level, db := range dbs {
		var pids [2]int
		for name, value := range typed {
			for range 2 {
				for i, schema := range []string{"tenant_a", "tenant_b"} {
					ctx := in(t, schema)
					pids[i] = roundTrip(t, ctx, db, level, name, value)
					require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
						roundTrip(t, ctx, tx, level+" in a transaction", name, value)
						return nil
					}))
				}
			}
		}
		assert.Equal(t, level != "Logins", pids[0] == pids[1], "%s: on one connection", level)
	}
}

// roundTrip sends a value as an argument of a type and expects it as the result.
func roundTrip(t *testing.T, ctx context.Context, q querier, how, name string, value any) (pid int) {
	t.Helper()
	got := reflect.New(reflect.TypeOf(value))
	err := q.QueryRow(ctx, "select $1::"+name+", pg_backend_pid()", value).Scan(got.Interface(), &pid)
	require.NoError(t, err, "%s: %s", how, name)
	assert.Equal(t, value, got.Elem().Interface(), "%s: %s", how, name)
	return pid
}

func TestTypesInTables(t *testing.T) {
	t.Parallel()
	f := setupTypes(t)
	db := f.open(t, schemactx.Config{Types: typeNames}, 1)
	for range 2 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			ctx := in(t, schema)
			rows, err := db.Query(
				ctx,
				"select lives from people where feels = any($1::mood[]) order by id",
				[]mood{"sad", "happy"},
			)
			require.NoError(t, err)
			list, err := pgx.CollectRows(rows, pgx.RowTo[address])
			require.NoError(t, err)
			assert.Equal(t, []address{{schema + " street", "ok", 1}, {schema + " road", "sad", 2}}, list)

			rows, err = db.Query(ctx, "select id, lives, feels from people where id = 1")
			require.NoError(t, err)
			require.True(t, rows.Next())
			_, known := rows.TypeMap().TypeForOID(rows.FieldDescriptions()[1].DataTypeOID)
			assert.True(t, known)
			values, err := rows.Values()
			require.NoError(t, err)
			rows.Close()
			assert.Equal(
				t,
				[]any{int32(1), map[string]any{"street": schema + " street", "feels": "ok", "zip": int32(1)}, "sad"},
				values,
			)
		}
	}
}

func TestTypesInBatchesAndCopies(t *testing.T) {
	t.Parallel()
	f := setupTypes(t)
	db := f.open(t, schemactx.Config{Types: typeNames}, 1)
	for range 2 {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			ctx := in(t, schema)
			_, err := db.Exec(ctx, "delete from people where id > 2")
			require.NoError(t, err)
			_, err = db.CopyFrom(ctx, pgx.Identifier{"people"}, []string{"id", "feels", "lives"}, pgx.CopyFromRows([][]any{
				{3, mood("ok"), address{"copied", "happy", 3}}, {4, "sad", nil},
			}))
			require.NoError(t, err)
			batch := &pgx.Batch{}
			batch.Queue("insert into people values (5, $1, $2)", mood("ok"), address{"batch", "ok", 5})
			var lives []address
			batch.Queue("select lives from people where feels = any($1::mood[]) and id > 2 order by id", []mood{"ok"}).
				Query(func(rows pgx.Rows) (err error) {
					lives, err = pgx.CollectRows(rows, pgx.RowTo[address])
					return err
				})
			require.NoError(t, db.SendBatch(ctx, batch).Close())
			assert.Equal(t, []address{{"copied", "happy", 3}, {"batch", "ok", 5}}, lives)
		}
	}
}

// Open connections notice what a migration does to a type, also for a type and a tenant that are
// created later.
func TestTypesThatAreCreatedAndDropped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	makeTypes(t, f, "tenant_a")
	db := f.open(t, schemactx.Config{Types: typeNames}, 1)
	a, b := in(t, "tenant_a"), in(t, "tenant_b")
	feels := "select count(*) from people where feels = any($1::mood[])"
	expect := func(ctx context.Context) {
		t.Helper()
		var n int
		require.NoError(t, db.QueryRow(ctx, feels, []mood{"sad"}).Scan(&n))
		assert.Equal(t, 1, n)
		roundTrip(t, ctx, db, "", "address", address{"x", "ok", 1})
		roundTrip(t, ctx, db, "", "family[]", typed["family[]"])
	}
	expect(a)

	expectNote(t, b, db, "tenant_b") // has none of the types and needs none
	_, err := db.Exec(b, feels, []mood{"sad"})
	expectState(t, err, "42P01")
	makeTypes(t, f, "tenant_b")
	expect(b)
	expect(a)

	f.provision(t, "tenant_c")
	makeTypes(t, f, "tenant_c")
	expect(in(t, "tenant_c"))

	drop := "drop table tenant_b.people; drop type tenant_b.mood, tenant_b.address, tenant_b.family, tenant_b.moods, " +
		"tenant_b.home, " +
		"tenant_b.moodrange, tenant_b.scored; drop domain tenant_b.positive"
	for range 3 {
		f.exec(t, drop)
		makeTypes(t, f, "tenant_b")
		expect(b)
		expect(a)
	}

	// A copy cannot be retried, because its source has been read.
	people := func() error {
		_, err := db.CopyFrom(
			b,
			pgx.Identifier{"people"},
			[]string{"id", "lives"},
			pgx.CopyFromRows([][]any{{9, address{"c", "ok", 9}}}),
		)
		return err
	}
	require.NoError(t, people())
	f.exec(t, drop)
	makeTypes(t, f, "tenant_b")
	if people() != nil {
		require.NoError(t, people())
	}

	again := func(run func() error) {
		t.Helper()
		require.NoError(t, run())
		f.exec(t, drop)
		makeTypes(t, f, "tenant_b")
		require.NoError(t, run())
	}
	again(func() error {
		return db.InTx(b, func(tx pgx.Tx) error {
			_, err := tx.Exec(b, "select $1::family[]", typed["family[]"])
			return err
		})
	})
	again(func() error {
		batch := &pgx.Batch{}
		batch.Queue("select $1::address", address{"x", "ok", 1})
		batch.Queue("select $1::family[]", typed["family[]"])
		return db.SendBatch(b, batch).Close()
	})

	f.exec(t, "alter type tenant_b.mood add value 'great'")
	roundTrip(t, b, db, "", "mood[]", []mood{"great"})
	f.exec(t, "alter type tenant_b.mood rename value 'great' to 'grand'")
	roundTrip(t, b, db, "", "mood[]", []mood{"grand"})
}

// A function may deallocate the library's prepared statements, also the one that loads types.
func TestTypesAreLoadedAfterDeallocateAll(t *testing.T) {
	t.Parallel()
	f := setupTypes(t)
	f.exec(t, "create function tenant_a.leave() returns int language plpgsql as 'begin deallocate all; return 1; end'")
	owner, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Owner(), ownerPassword))
	require.NoError(t, err)
	owner.MaxConns = 1
	a := in(t, "tenant_a")
	for level, db := range map[string]*schemactx.DB{
		"Roles":    f.open(t, schemactx.Config{Types: typeNames}, 1),
		"PathOnly": f.openWith(t, owner, schemactx.Config{Level: schemactx.PathOnly, Types: typeNames}),
		"Logins":   loginDB(t, f, schemactx.Config{Types: typeNames}),
	} {
		leave := func(q querier) {
			t.Helper()
			var n int
			require.NoError(t, q.QueryRow(a, "select leave()").Scan(&n), level)
		}
		roundTrip(t, a, db, level, "mood", typed["mood"])
		leave(db)
		f.exec(t, "drop type tenant_a.moodrange; create type tenant_a.moodrange as range (subtype = tenant_a.mood)")
		roundTrip(t, a, db, level, "moodrange", typed["moodrange"])
		require.NoError(t, db.InTx(a, func(tx pgx.Tx) error {
			leave(tx)
			f.exec(t, "drop type if exists tenant_a.unseen; create type tenant_a.unseen as enum ('x')")
			var unseen string
			return tx.QueryRow(a, "select 'x'::unseen").Scan(&unseen)
		}), level)
	}
}

type longAddress struct {
	Street string
	Feels  mood
	Zip    int32
	Floor  string
}

func TestACompositeThatIsAlteredIsLoadedAgain(t *testing.T) {
	t.Parallel()
	f := setupTypes(t)
	db := f.open(t, schemactx.Config{Types: typeNames}, 1)
	a := in(t, "tenant_a")
	roundTrip(t, a, db, "", "address", address{"x", "ok", 1})
	f.exec(t, "alter type tenant_a.address add attribute floor text")
	roundTrip(t, a, db, "", "address", longAddress{"x", "ok", 1, "second"})
	f.exec(t, "alter type tenant_a.address drop attribute floor")
	roundTrip(t, a, db, "", "address", address{"x", "ok", 1})

	// For a type that is only read, the value alone shows the change: an error, not a value with a
	// missing attribute.
	f.exec(t, "alter type tenant_a.address drop attribute zip; alter type tenant_a.address add attribute zip text")
	type textAddress struct{ Street, Feels, Zip string }
	var zip textAddress
	sql := "select lives from people where id = $1"
	require.Error(t, db.QueryRow(a, sql, 1).Scan(&zip))
	require.NoError(t, db.QueryRow(a, "select ('x', 'ok', '07')::address").Scan(&zip))
	assert.Equal(t, textAddress{"x", "ok", "07"}, zip)
	rows, err := db.Query(a, sql, 1)
	require.NoError(t, err)
	require.True(t, rows.Next())
	f.exec(t, "alter type tenant_a.address drop attribute zip; alter type tenant_a.address add attribute zip int")
	rows.Close()
	var values []any
	rows, err = db.Query(a, sql, 1)
	require.NoError(t, err)
	require.True(t, rows.Next())
	_, err = rows.Values()
	require.Error(t, err)
	rows, err = db.Query(a, sql, 1)
	require.NoError(t, err)
	require.True(t, rows.Next())
	values, err = rows.Values()
	require.NoError(t, err)
	rows.Close()
	assert.Equal(t, []any{map[string]any{"street": "tenant_a street", "feels": "ok", "zip": nil}}, values)

	f.exec(t, "alter type tenant_a.address add attribute floor text")
	db.Refresh("tenant_a")
	var lives longAddress
	require.NoError(t, db.QueryRow(a, "select ('x', 'ok', 1, 'third')::address").Scan(&lives))
	assert.Equal(t, longAddress{"x", "ok", 1, "third"}, lives)
}
