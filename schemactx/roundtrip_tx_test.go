package schemactx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// DB.Begin costs no round trip: BEGIN is sent with the first statement. Neither it nor COMMIT has
// to be prepared.
func TestRoundTripsOfATransaction(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := in(t, "tenant_a")
	transaction := func(statements int) func() error {
		return func() error {
			tx, err := w.db.Begin(ctx)
			if err != nil {
				return err
			}
			for range statements {
				if body, _, err := note(ctx, tx); err != nil || body != "tenant_a" {
					return errors.Join(errors.New("read the note of "+body), err)
				}
			}
			return tx.Commit(ctx)
		}
	}
	w.expect(t, "cold, 2 statements", cost{trips: 4, parses: true}, transaction(2))
	w.expect(t, "no statement", cost{trips: 0}, transaction(0))
	for n := 1; n <= 4; n++ {
		w.expect(t, "warm", cost{trips: n + 1, parses: true}, transaction(n))
	}
	expectNote(t, in(t, "tenant_b"), w.db, "tenant_b")
	w.expect(t, "after another tenant", cost{trips: 3, parses: true}, transaction(2))
}

func TestRoundTripsOfAManagedTransaction(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := in(t, "tenant_a")
	mine := errors.New("mine")
	managed := func(result error) func() error {
		return func() error {
			err := w.db.InTx(ctx, func(tx pgx.Tx) error {
				for range 3 {
					expectNote(t, ctx, tx, "tenant_a")
				}
				return result
			})
			if errors.Is(err, result) {
				return nil
			}
			return err
		}
	}
	w.expect(t, "cold", cost{trips: 5, parses: true}, managed(nil))
	w.expect(t, "commit", cost{trips: 4, parses: true}, managed(nil))
	w.expect(t, "roll back", cost{trips: 4, parses: true}, managed(mine))
	w.expect(t, "after the rollback", cost{trips: 4, parses: true}, managed(nil))
}

func TestRoundTripsOfARollback(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := in(t, "tenant_a")
	divide := func(ctx context.Context, tx pgx.Tx, by int) error {
		_, err := tx.Exec(ctx, "select 1 / $1::int", by)
		return err
	}
	failing := func() error {
		tx, err := w.db.Begin(ctx)
		if err != nil {
			return err
		}
		if err := divide(ctx, tx, 1); err != nil {
			return err
		}
		expectState(t, divide(ctx, tx, 0), "22012")
		return tx.Rollback(ctx)
	}
	w.expect(t, "cold", cost{trips: 4, parses: true}, failing)
	w.expect(t, "two statements, the second one fails", cost{trips: 3, parses: true}, failing)
	w.expect(t, "first statement fails", cost{trips: 2, parses: true}, func() error {
		tx, err := w.db.Begin(ctx)
		if err != nil {
			return err
		}
		expectState(t, divide(ctx, tx, 0), "22012")
		return tx.Rollback(ctx)
	})
	w.expect(t, "nothing to roll back", cost{trips: 0}, func() error {
		tx, err := w.db.Begin(ctx)
		if err != nil {
			return err
		}
		return tx.Rollback(ctx)
	})
	w.expect(t, "again", cost{trips: 3, parses: true}, failing)
}

// sender is a DB or a Tx.
type sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// notesBatch reads the note of schema twice, inserts one and deletes it.
func notesBatch(ctx context.Context, s sender, schema string) error {
	batch := &pgx.Batch{}
	read := func(row pgx.Row) error {
		var body string
		if err := row.Scan(&body); err != nil {
			return err
		}
		if body != schema {
			return errors.New("read the note of " + body)
		}
		return nil
	}
	batch.Queue("select body from notes where id = $1", 1).QueryRow(read)
	batch.Queue("insert into notes values ($1, $2)", 7, "new")
	batch.Queue("delete from notes where id = $1", 7)
	batch.Queue("select body from notes where id = $1", 1).QueryRow(read)
	return s.SendBatch(ctx, batch).Close()
}

func TestRoundTripsOfABatch(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		batch := func() error { return notesBatch(in(t, schema), w.db, schema) }
		w.expect(t, schema+" cold", cold, batch)
		for range 2 {
			w.expect(t, schema+" warm", warm, batch)
		}
	}
	w.expect(t, "change of tenant", cost{trips: 1, parses: true}, func() error {
		return notesBatch(in(t, "tenant_a"), w.db, "tenant_a")
	})
}

func TestRoundTripsOfAnUnpreparedBatch(t *testing.T) {
	t.Parallel()
	w := setupWired(t, unprepared)
	for _, schema := range []string{"tenant_a", "tenant_b", "tenant_a"} {
		w.expect(t, schema, cost{trips: 1, parses: true}, func() error {
			return notesBatch(in(t, schema), w.db, schema)
		})
	}
}

func TestRoundTripsOfABatchInATransaction(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := in(t, "tenant_a")
	transaction := func() error {
		tx, err := w.db.Begin(ctx)
		if err != nil {
			return err
		}
		if err := notesBatch(ctx, tx, "tenant_a"); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
	w.expect(t, "cold", cost{trips: 3, parses: true}, transaction)
	w.expect(t, "warm", cost{trips: 2, parses: true}, transaction)
}

func TestRoundTripsOfAFailingBatch(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	ctx := in(t, "tenant_a")
	failing := func(by int) func() error {
		return func() error {
			batch := &pgx.Batch{}
			batch.Queue("update notes set body = $1", "lost")
			batch.Queue("select 1 / $1::int", by)
			return w.db.SendBatch(ctx, batch).Close()
		}
	}
	// The pipeline ends at the error; the ROLLBACK needs another one.
	w.expectFailure(t, "cold", cost{trips: 3, parses: true}, "22012", failing(0))
	w.expectFailure(t, "warm", cost{trips: 2, parses: true}, "22012", failing(0))
	expectNote(t, ctx, w.db, "tenant_a")
}

// A COPY has no arguments, but needs the types of its columns each time.
func TestRoundTripsOfACopy(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		id := 10
		copyNotes := func() error {
			id += 2
			n, err := w.db.CopyFrom(in(t, schema), pgx.Identifier{"notes"}, []string{"id", "body"},
				pgx.CopyFromRows([][]any{{id, "copied"}, {id + 1, "copied"}}))
			if err == nil && n != 2 {
				err = errors.New("copied another number of rows")
			}
			return err
		}
		w.expect(t, schema+" cold", cold, copyNotes)
		w.expect(t, schema+" warm", cost{trips: 2, parses: true}, copyNotes)
	}
	var n int
	require.NoError(t, w.db.QueryRow(in(t, "tenant_b"), "select count(*) from notes").Scan(&n))
	assert.Equal(t, 5, n, "%d notes in tenant_b, want 5", n)
}
