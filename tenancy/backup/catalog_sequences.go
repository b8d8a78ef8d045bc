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
