package tenancy

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/text"
	"github.com/oryne/pgtenant/schemactx"
)

// The number of tenants on a page of [Registry.List].
const (
	DefaultPageSize = 100
	MaxPageSize     = 1000
)

// Filter selects the tenants to list. The zero value selects all, from the beginning.
type Filter struct {
	// Statuses are the statuses to list. Default: all but [Stocked], because stocked tenants belong to
	// no customer.
	Statuses []Status

	// Search is a part of the slug, the name or a domain; upper and lower case are equal. Default: "",
	// any.
	Search string

	// Plan is the plan to list. Default: "", any.
	Plan string

	// After is the id after which the page begins: Next of the previous page. Default: 0, the first
	// page.
	After int64

	// Limit is the maximum number of tenants on a page. Default: [DefaultPageSize]. A negative number,
	// or more than [MaxPageSize], is a [FieldError].
	Limit int
}

// Page is a part of a list, ordered by id. A tenant that exists during the whole listing is on
// exactly one page.
type Page struct {
	Tenants []Tenant
	Next    int64 // [Filter].After of the next page; 0 on the last page
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
			return f, &FieldError{Field: "statuses", Value: string(s), Rule: "is not a status"}
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

// List returns a page of tenants, ordered by id. The error is a [FieldError] or that of the query.
func (r *Registry) List(ctx context.Context, f Filter) (Page, error) {
	f, err := f.validate()
	if err != nil {
		return Page{}, err
	}
	// One tenant more than the limit tells whether there is a next page.
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

// All iterates over the tenants that f selects, ordered by id. It reads pages of Limit tenants and
// holds no connection between two pages. If a query fails, it yields the error and ends.
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

// Schemas iterates over the schemas to migrate, ordered by the ids of their tenants: those of
// tenants that are active, suspended, in maintenance or ready in stock. It omits a tenant that is
// being created, stocked or dropped, because that operation handles the schema itself. As a method
// value it is a List of package migrate. It reads [MaxPageSize] names at a time and holds no
// connection in between. If a query fails, it yields the error and ends.
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
