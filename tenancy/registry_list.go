package tenancy

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/text"
	"github.com/oryne/pgtenant/schemactx"
)

// The sizes of a page of tenants.
const (
	DefaultPageSize = 100
	MaxPageSize     = 1000
)

// Filter says which tenants to list. The zero value means all, from the beginning.
type Filter struct {
	// Statuses are those to list. Default: all but [Stocked], which are nobody's.
	Statuses []Status

	// Search is a part of the slug, the name or a domain, whatever its case. Default: "", any.
	Search string

	// Plan is the plan to list. Default: "", any.
	Plan string

	// After is the id behind which to go on: Next of the page before. Default: 0, the first.
	After int64

	// Limit is the most tenants of a page. Default: [DefaultPageSize]; more than [MaxPageSize]
	// and negative ones are a [FieldError].
	Limit int
}

// Page is a part of a list, by id. Pages neither repeat nor lose a tenant that is there all along.
type Page struct {
	Tenants []Tenant
	Next    int64 // [Filter].After of the next page; 0: this is the last
}

// validate checks the filter and fills in its defaults.
func (f Filter) validate() (Filter, error) {
	if f.Limit < 0 || f.Limit > MaxPageSize {
		return f, &FieldError{Field: "limit", Value: fmt.Sprint(f.Limit), Rule: "is not between 0 and 1000"}
	}
	if f.Limit == 0 {
		f.Limit = DefaultPageSize
	}
	for field, value := range map[string]string{"search": f.Search, "plan": f.Plan} {
		if !storable(value) {
			return f, &FieldError{Field: field, Value: text.Clip(value), Rule: "holds a NUL or is not valid UTF-8"}
		}
	}
	for _, s := range f.Statuses {
		if !s.valid() {
			return f, &FieldError{Field: "status", Value: string(s), Rule: "is not a status"}
		}
	}
	if len(f.Statuses) == 0 {
		f.Statuses = []Status{Provisioning, Active, Suspended, Maintenance, Dropping}
	}
	return f, nil
}

func (s Status) valid() bool {
	switch s {
	case Stocked, Provisioning, Active, Suspended, Maintenance, Dropping:
		return true
	}
	return false
}

// List returns a page of tenants, by id.
func (r *Registry) List(ctx context.Context, f Filter) (Page, error) {
	f, err := f.validate()
	if err != nil {
		return Page{}, err
	}
	// One more than asked for tells whether there is a next page.
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), "select "+r.columns()+` from {registry}.tenants t
		where t.id > $1 and t.status = any($2) and ($3 = '' or t.plan = $3)
		and ($4 = '' or strpos(lower(t.name), lower($4)) > 0 or strpos(t.slug, lower($4)) > 0 or exists (
			select from {registry}.domains d where d.tenant_id = t.id and strpos(d.host, lower($4)) > 0))
		order by t.id limit $5`,
		f.After, statusNames(f.Statuses), f.Plan, f.Search, f.Limit+1)
	if err != nil {
		return Page{}, fmt.Errorf("list tenants: %w", err)
	}
	tenants, err := pgx.CollectRows(rows, scanTenant)
	if err != nil {
		return Page{}, fmt.Errorf("list tenants: %w", err)
	}
	page := Page{Tenants: tenants}
	if len(tenants) > f.Limit {
		page.Tenants = tenants[:f.Limit]
		page.Next = page.Tenants[f.Limit-1].ID
	}
	return page, nil
}

// All goes over the tenants that f names, by id, a page of Limit at a time: it holds no
// connection between two pages. An error is the last that it yields.
func (r *Registry) All(ctx context.Context, f Filter) iter.Seq2[Tenant, error] {
	return func(yield func(Tenant, error) bool) {
		for {
			page, err := r.List(ctx, f)
			if err != nil {
				yield(Tenant{}, err)
				return
			}
			for _, t := range page.Tenants {
				if !yield(t, nil) {
					return
				}
			}
			if page.Next == 0 {
				return
			}
			f.After = page.Next
		}
	}
}

func statusNames(statuses []Status) []string {
	names := make([]string, len(statuses))
	for i, s := range statuses {
		names[i] = string(s)
	}
	return names
}

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
				where status = any($1) and (status <> 'stocked' or stock_version <> '') and id > $2 order by id limit $3`,
				statuses, after, MaxPageSize)
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
