package tenancy

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Schemas goes over the schemas that exist to be migrated, by the ids of their tenants: of those
// that are active, suspended, in maintenance or ready in stock. A tenant that is being created,
// stocked or dropped is left to the call that does it. As a method value it is a List of package
// migrate. It reads [MaxPageSize] names at a time and holds no connection in between. An error is
// the last that it yields.
func (m *Manager) Schemas(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		statuses := statusNames([]Status{Active, Suspended, Maintenance, Stocked})
		for after, more := int64(0), true; more; {
			rows, err := m.db.Query(schemactx.NewPublicContext(ctx), `select id, schema_name from {registry}.tenants
				where status = any($1) and (status <> 'stocked' or stock_version <> '') and id > $2 order by id limit $3`, statuses, after, MaxPageSize)
			var page []string
			if err == nil {
				page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (schema string, err error) {
					return schema, row.Scan(&after, &schema)
				})
			}
			if err != nil {
				yield("", fmt.Errorf("list schemas: %w", err))
				return
			}
			for _, schema := range page {
				if !yield(schema, nil) {
					return
				}
			}
			more = len(page) == MaxPageSize
		}
	}
}
