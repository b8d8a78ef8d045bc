package tenancytest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// sequence is the state of a sequence.
type sequence struct {
	name   string
	value  int64
	called bool // the next value comes after value
}

func readSequences(ctx context.Context, db tenancy.Querier, schema string) ([]sequence, error) {
	rows, err := db.Query(ctx, `select sequencename, coalesce(last_value, start_value), last_value is not null
		from pg_sequences where schemaname = $1 order by sequencename`, schema)
	if err != nil {
		return nil, fmt.Errorf("sequences of schema %q: %w", schema, err)
	}
	sequences, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s sequence, err error) {
		return s, row.Scan(&s.name, &s.value, &s.called)
	})
	if err != nil {
		return nil, fmt.Errorf("sequences of schema %q: %w", schema, err)
	}
	return sequences, nil
}

// resetSequences sets the sequences that differ from want.
func resetSequences(ctx context.Context, tx pgx.Tx, schema string, now, want []sequence) error {
	wanted := make(map[string]sequence, len(want))
	for _, s := range want {
		wanted[s.name] = s
	}
	batch := &pgx.Batch{}
	for _, s := range now {
		if w, found := wanted[s.name]; found && w != s {
			batch.Queue("select setval($1::regclass, $2, $3)", pgx.Identifier{schema, s.name}.Sanitize(), w.value, w.called)
		}
	}
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, batch).Close()
}
