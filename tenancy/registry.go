package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Querier is what the registry is read through: a *pgxpool.Pool, or a *schemactx.DB, which
// then reads in the public scope.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Registry reads tenants and their domains. It is safe for concurrent use. ctx governs the
// query; a schema in it does not matter.
type Registry struct {
	db Querier
}

// NewRegistry returns the registry that db reaches.
func NewRegistry(db Querier) *Registry { return &Registry{db: db} }

// tenantColumns are those of [Tenant], in its order, under the alias t.
const tenantColumns = "t.id, t.schema_name, t.slug, t.name, t.status, t.failure, t.created_at, t.updated_at"

// ByHost returns the tenant that has the domain, whatever its status. host is normalised
// (see [NormalizeHost]). An unregistered host is [ErrNotFound].
func (r *Registry) ByHost(ctx context.Context, host string) (Tenant, error) {
	host, err := NormalizeHost(host)
	if err != nil {
		return Tenant{}, err
	}
	return r.one(ctx, "select "+tenantColumns+" from public.domains d join public.tenants t on t.id = d.tenant_id where d.host = $1", host)
}

// BySlug returns the tenant of that slug, whatever its status, or [ErrNotFound].
func (r *Registry) BySlug(ctx context.Context, slug string) (Tenant, error) {
	return r.one(ctx, "select "+tenantColumns+" from public.tenants t where t.slug = $1", slug)
}

// List returns all tenants, whatever their status, by id.
func (r *Registry) List(ctx context.Context) ([]Tenant, error) {
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), "select "+tenantColumns+" from public.tenants t order by t.id")
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	tenants, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Tenant])
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	return tenants, nil
}

func (r *Registry) one(ctx context.Context, sql, key string) (Tenant, error) {
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), sql, key)
	if err != nil {
		return Tenant{}, fmt.Errorf("look up tenant %q: %w", key, err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Tenant])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Tenant{}, fmt.Errorf("%w: %q", ErrNotFound, key)
	case err != nil:
		return Tenant{}, fmt.Errorf("look up tenant %q: %w", key, err)
	}
	return t, nil
}
