package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// readSequences reads the state of the sequences. Sequences are not transactional, so the state is
// that of a time after the snapshot.
func (c *catalog) readSequences(ctx context.Context, tx pgx.Tx) ([]archive.Sequence, error) {
	all := []archive.Sequence{}
	for _, r := range c.relations {
		if r.kind == "S" && (r.table == "" || r.table != c.versions) {
			all = append(all, archive.Sequence{Name: r.name, Table: r.table, Column: r.column, Identity: r.identity})
		}
	}
	const batch = 200
	for chunk := range slices.Chunk(all, batch) {
		var sql strings.Builder
		for i, sequence := range chunk {
			quoted, err := schemactx.QuoteName(c.schema, sequence.Name)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				sql.WriteString(" union all ")
			}
			fmt.Fprintf(&sql, "select %d, last_value, is_called from %s", i, quoted)
		}
		rows, err := tx.Query(ctx, sql.String(), pgx.QueryExecModeExec)
		if err != nil {
			return nil, err
		}
		var n int
		var last int64
		var called bool
		_, err = pgx.ForEachRow(rows, []any{&n, &last, &called}, func() error {
			chunk[n].Last, chunk[n].Called = last, called
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sequenceKey identifies a sequence across schemas. The sequence of an identity column is
// identified by its column, because the server chooses its name.
type sequenceKey struct{ name, table, column string }

func keyOf(s archive.Sequence) sequenceKey {
	if s.Identity {
		return sequenceKey{"", s.Table, s.Column}
	}
	return sequenceKey{name: s.Name}
}

// setSequences sets each sequence to its archived state, reads it back and compares.
func (l *loader) setSequences(ctx context.Context, h archive.Header) error {
	want := make(map[sequenceKey]archive.Sequence, len(h.Sequences))
	for _, s := range h.Sequences {
		want[keyOf(s)] = s
	}
	return l.transact(ctx, func(tx pgx.Tx) error {
		own, err := l.catalog.readSequences(ctx, tx)
		if err != nil {
			return err
		}
		for _, s := range own {
			to, ok := want[keyOf(s)]
			if !ok {
				continue // DriftRecord allows it
			}
			name, err := l.name(s.Name)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "select setval($1::text::regclass, $2, $3)", name, to.Last, to.Called); err != nil {
				if isRefusal(err) {
					return &RowsError{Table: s.Name, Err: err}
				}
				return err
			}
		}
		now, err := l.catalog.readSequences(ctx, tx)
		if err != nil {
			return err
		}
		for _, s := range now {
			if to, ok := want[keyOf(s)]; ok && (s.Last != to.Last || s.Called != to.Called) {
				return &ContentError{s.Name, fmt.Sprintf("has the value %d, not %d", s.Last, to.Last)}
			}
		}
		return nil
	})
}
