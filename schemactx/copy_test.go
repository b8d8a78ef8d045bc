package schemactx_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func rowsOf(rows ...[]any) pgx.CopyFromSource { return pgx.CopyFromRows(rows) }

func TestCopyFromWritesIntoTheSchemaOfItsContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(
		t,
		"create type tenant_a.mood as enum ('low', 'high'); create table tenant_a.days (id int, day date, m tenant_a.mood, "+
			"tags text[], j jsonb, note text)",
	)
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for range 2 {
		n, err := f.db.CopyFrom(
			in(t, "tenant_a"),
			pgx.Identifier{"days"},
			[]string{"id", "day", "m", "tags", "j", "note"},
			rowsOf(
				[]any{1, day, "high", []string{"x", "y"}, map[string]any{"k": 1}, nil},
				[]any{2, "2026-11-24", "low", nil, nil, "text"},
			),
		)
		require.NoError(t, err)
		assert.Equal(t, int64(2), n, "%d rows copied, want 2", n)
	}
	var got string
	require.NoError(t,
		f.db.QueryRow(in(t, "tenant_a"), `select string_agg(concat_ws(' ', id, day, m, tags, j, note), '; ' order by id)
		from (select distinct on (id) * from days order by id) d`).Scan(&got))
	want := `1 2026-11-23 high {x,y} {"k": 1}; 2 2026-11-24 low text`
	assert.Equal(t, want, got)
	_, err := f.db.CopyFrom(in(t, "tenant_b"), pgx.Identifier{"days"}, []string{"id"}, rowsOf([]any{1}))
	expectState(t, err, "42P01")
	_, err = f.db.CopyFrom(
		in(t, "tenant_a"),
		pgx.Identifier{"tenant_b", "notes"},
		[]string{"id", "body"},
		rowsOf([]any{7, "x"}),
	)
	expectState(t, err, "42501")
	_, err = f.db.CopyFrom(t.Context(), pgx.Identifier{"notes"}, []string{"id"}, rowsOf())
	assert.ErrorIs(t, err, schemactx.ErrNoSchema)
	expectNote(t, in(t, "tenant_b"), f.db, "tenant_b")
}

func TestCopyFromManyRows(t *testing.T) {
	t.Parallel()
	f := setup(t)
	i, total := 1, 20_000
	n, err := f.db.CopyFrom(
		in(t, "tenant_b"),
		pgx.Identifier{"notes"},
		[]string{"id", "body"},
		pgx.CopyFromFunc(func() ([]any, error) {
			if i++; i > total+1 {
				return nil, nil
			}
			return []any{i, "a note of some length, so that the copy does not fit into one message"}, nil
		}),
	)
	require.NoError(t, err)
	got := f.notes(t, "tenant_b")
	assert.Equal(t, int64(total), n, "%d rows copied, %d there", n, got)
	assert.Equal(t, total+1, got, "%d rows copied, %d there", n, got)
}

func TestCopyFromThatFailsHasDoneNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	mine := errors.New("mine")
	columns := []string{"id", "body"}
	calls := 0
	for name, src := range map[string]pgx.CopyFromSource{
		"duplicate":  rowsOf([]any{2, "x"}, []any{1, "x"}),
		"null":       rowsOf([]any{2, nil}),
		"wrong type": rowsOf([]any{"no number", "x"}),
		"too few":    rowsOf([]any{2}),
		"source failed": pgx.CopyFromFunc(func() ([]any, error) {
			calls++
			return []any{calls + 1, "x"}, map[bool]error{true: mine}[calls > 3]
		}),
	} {
		_, err := f.db.CopyFrom(ctx, pgx.Identifier{"notes"}, columns, src)
		assert.Error(t, err, "%s: no error", name)
		n := f.notes(t, "tenant_a")
		assert.Equal(t, 1, n, "%s: %d notes, want 1", name, n)
	}
	_, err := f.db.CopyFrom(ctx, pgx.Identifier{"notes; drop table notes"}, columns, rowsOf())
	expectState(t, err, "42P01")
	_, err = f.db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id\x00"}, rowsOf())
	var nameErr *schemactx.NameError
	assert.ErrorAs(t, err, &nameErr)
}

func TestCopyFromInATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := in(t, "tenant_a")
	for range 2 { // cold, then warm: BEGIN and the scope are then sent with the COPY
		mine := errors.New("mine")
		assert.ErrorIs(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
			n, err := tx.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, rowsOf([]any{2, "x"}, []any{3, "x"}))
			require.NoError(t, err)
			assert.Equal(t, int64(2), n, "%d rows copied", n)
			var count int
			require.NoError(t, tx.QueryRow(ctx, "select count(*) from notes").Scan(&count))
			assert.Equal(t, 3, count, "%d notes in the transaction, want 3", count)
			return mine
		}), mine)
		assert.Equal(t, 1, f.notes(t, "tenant_a"), "notes after the rollback, want 1")
	}
	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, rowsOf([]any{1, "twice"}))
		expectState(t, err, "23505")
		return nil
	})
	assert.ErrorIs(t, err, pgx.ErrTxCommitRollback)
}

func TestCopyFromWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.openMode(t, pgx.QueryExecModeExec)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		_, err := db.CopyFrom(
			in(t, schema),
			pgx.Identifier{"notes"},
			[]string{"id", "body"},
			rowsOf([]any{2, "copied into " + schema}),
		)
		require.NoError(t, err)
		var body string
		var prepared int
		require.NoError(
			t,
			db.QueryRow(in(t, schema), "select body, (select count(*) from pg_prepared_statements) from notes where id = 2").
				Scan(&body, &prepared),
		)
		assert.Equal(t, "copied into "+schema, body, "read %q with %d prepared statements", body, prepared)
		assert.Equal(t, 0, prepared, "read %q with %d prepared statements", body, prepared)
	}
}

// A copy into a column whose type a migration has changed since the last copy stores the right
// values. The bytes of the old type could be those of another value.
func TestCopyFromIntoAColumnOfAnotherType(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, `create type tenant_a.mood as enum ('sad'); create table tenant_a.t (n int, at bigint, m tenant_a.mood[])`)
	db := f.open(t, schemactx.Config{Types: []string{"mood"}}, 1)
	ctx := in(t, "tenant_a")
	add := func(values ...any) (string, error) {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n", "at", "m"}, rowsOf(values))
		var last string
		require.NoError(t, db.QueryRow(ctx, "select t::text from t order by ctid desc limit 1").Scan(&last))
		return last, err
	}
	got, err := add(1000, 5000, []string{"sad"})
	require.NoError(t, err)
	assert.Equal(t, "(1000,5000,{sad})", got)
	f.exec(t, `alter table tenant_a.t alter n type real, alter at type double precision, drop m; drop type tenant_a.mood;
		create type tenant_a.mood as enum ('glad'); alter table tenant_a.t add m tenant_a.mood[]`)
	got, err = add(1000, 5000, []string{"glad"})
	require.NoError(t, err)
	assert.Equal(t, "(1000,5000,{glad})", got)
	f.exec(t, "alter table tenant_a.t alter at type timestamptz using now()")
	got, err = add(7, 5000, nil)
	require.ErrorContains(t, err, "unable to encode 5000")
	assert.Equal(t, "(1000", got[:5])
}

// slowValue ends the context of its copy and takes some time.
type slowValue struct {
	cancel func()
	asked  *int // number of values encoded completely
}

func (v slowValue) Value() (driver.Value, error) {
	v.cancel()
	time.Sleep(50 * time.Millisecond) // a copy that does not wait returns earlier
	*v.asked++
	return int64(*v.asked), nil
}

// After CopyFrom has returned, it does not use the caller's values any more, also if its context
// has ended.
func TestCopyFromReturnsAfterItsLastUseOfTheValues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.open(t, schemactx.Config{}, 1)
	copies := map[string]func(ctx context.Context, src pgx.CopyFromSource) error{
		"alone": func(ctx context.Context, src pgx.CopyFromSource) error {
			_, err := db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id"}, src)
			return err
		},
		"in a transaction": func(ctx context.Context, src pgx.CopyFromSource) error {
			return db.InTx(ctx, func(tx pgx.Tx) error {
				_, err := tx.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id"}, src)
				return err
			})
		},
	}
	for name, run := range copies {
		ctx, cancel := context.WithCancel(in(t, "tenant_a"))
		asked := 0
		src := pgx.CopyFromFunc(func() ([]any, error) { return []any{slowValue{cancel, &asked}}, nil })
		require.ErrorIs(t, run(ctx, src), context.Canceled, name)
		require.Positive(t, asked, name)
		was := asked
		time.Sleep(60 * time.Millisecond)
		require.Equal(t, was, asked, name)
	}
}
