package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// Querier runs the registry's queries: a *pgxpool.Pool, or a *schemactx.DB, which then reads in the
// public scope.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Registry reads tenants and their domains, from a primary or a replica. It is safe for concurrent
// use. In all methods ctx governs the query; a schema in ctx has no effect.
//
// It needs only the privileges of the public role, which may read only the columns that route a
// request to its tenant. A [Manager] reads all columns.
type Registry struct {
	db      Querier
	details bool // reads also the columns that only the owner role may read
}

// NewRegistry returns the registry in the schema public of the database that db queries.
func NewRegistry(db Querier) *Registry {
	return &Registry{db: initializedQuerier{registrydb.Schema{}.Reader(db)}}
}

// InSchema returns the registry in another schema than public, see [Config].RegistrySchema. It
// reads through the Querier of r. An empty name means public. The error is a [schemactx.NameError].
// The registry of a [Manager] already reads its configured schema.
func (r *Registry) InSchema(schema string) (*Registry, error) {
	s, err := registrydb.Parse(schema)
	if err != nil {
		return nil, fmt.Errorf("registry's schema: %w", err)
	}
	return &Registry{db: s.Reader(r.db), details: r.details}, nil
}

// Columns of tenants, under the alias t, in the order of scanTenant. The public role may read only
// those of tenantColumns, see publicTenantColumns.
const (
	tenantColumns = `t.id, t.schema_name, t.slug, t.name, t.status, t.reason, t.until, t.plan, t.limits, t.placement,
		t.created_at, t.updated_at, t.version`
)

// tenantDetailsColumns are the columns that a [Manager] reads.
var tenantDetailsColumns = detailsColumns(operationColumn)

// detailsColumns are tenantDetailsColumns with another SQL expression for the operation.
func detailsColumns(operation string) string {
	return tenantColumns + ", " + operation +
		", t.metadata, coalesce((select id::text from {registry}.registry_identity), '')"
}

// The columns that Init grants to the public role.
const (
	publicTenantColumns = `id, schema_name, slug, name, status, reason, until, plan, limits, placement,
		created_at, updated_at, version`
	publicDomainColumns = "tenant_id, host, is_primary, verified_at, created_at"
)

func (r *Registry) columns() string {
	if r.details {
		return tenantDetailsColumns
	}
	return tenantColumns
}

// scanTenant reads a row of tenantColumns or of tenantDetailsColumns.
func scanTenant(row pgx.CollectableRow) (Tenant, error) {
	var t Tenant
	var until *time.Time
	to := tenantFields(&t, &until)
	if len(row.FieldDescriptions()) > len(to) {
		to = append(to, &t.Operation, &t.Metadata, &t.Registry)
	}
	err := row.Scan(to...)
	if until != nil {
		t.Until = *until
	}
	return t, err
}

func tenantFields(t *Tenant, until **time.Time) []any {
	return []any{
		&t.ID, &t.Schema, &t.Slug, &t.Name, &t.Status, &t.Reason, until, &t.Plan, &t.Limits, &t.Placement,
		&t.CreatedAt, &t.UpdatedAt, &t.Version,
	}
}

// ByHost returns the tenant that has verified the domain, in any status. It normalises host, see
// [NormalizeHost]. The error is [ErrNotFound] for a host that no tenant has verified, or that of
// [NormalizeHost].
func (r *Registry) ByHost(ctx context.Context, host string) (Tenant, error) {
	host, err := NormalizeHost(host)
	if err != nil {
		return Tenant{}, err
	}
	return r.queryOne(ctx, "{registry}.domains d join {registry}.tenants t on t.id = d.tenant_id "+
		"where d.host = $1 and d.verified_at is not null", host, strconv.Quote(host))
}

// BySlug returns the tenant with that slug, in any status, or [ErrNotFound].
func (r *Registry) BySlug(ctx context.Context, slug string) (Tenant, error) {
	if !storable(slug) {
		return Tenant{}, fmt.Errorf("%w: %s", ErrNotFound, strconv.Quote(slug))
	}
	return r.queryOne(ctx, "{registry}.tenants t where t.slug = $1", slug, strconv.Quote(slug))
}

// storable reports whether PostgreSQL accepts the string as text. If not, no row can contain it.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// ByID returns the tenant with that id, in any status, or [ErrNotFound].
func (r *Registry) ByID(ctx context.Context, id int64) (Tenant, error) {
	return r.queryOne(ctx, "{registry}.tenants t where t.id = $1", id, strconv.FormatInt(id, 10))
}

func (r *Registry) queryOne(ctx context.Context, from string, key any, shown string) (Tenant, error) {
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), "select "+r.columns()+" from "+from, key)
	if err != nil {
		return Tenant{}, fmt.Errorf("look up tenant %s: %w", shown, err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanTenant)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Tenant{}, fmt.Errorf("%w: %s", ErrNotFound, shown)
	case err != nil:
		return Tenant{}, fmt.Errorf("look up tenant %s: %w", shown, err)
	}
	return t, nil
}

// Details are a tenant and its domains.
type Details struct {
	Tenant  Tenant
	Domains []Domain // including claims; the primary domain first, then by host
}

// Show returns the tenant with that slug, in any status, and its domains, from one snapshot. The
// error is [ErrNotFound] or that of the query.
func (r *Registry) Show(ctx context.Context, slug string) (Details, error) {
	var details Details
	if !storable(slug) {
		return Details{}, fmt.Errorf("%w: %s", ErrNotFound, strconv.Quote(slug))
	}
	err := r.show(ctx, slug, &details)
	switch {
	case err != nil:
		return Details{}, fmt.Errorf("show tenant %q: %w", slug, err)
	case details.Tenant.ID == 0:
		return Details{}, fmt.Errorf("%w: %s", ErrNotFound, strconv.Quote(slug))
	}
	return details, nil
}

// show reads one row for each domain of the tenant, or one row without a domain. It leaves details
// unchanged if the tenant does not exist.
func (r *Registry) show(ctx context.Context, slug string, details *Details) error {
	token := "''"
	if r.details {
		token = "d.token"
	}
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), "select "+r.columns()+`,
		d.host, coalesce(d.is_primary, false), d.verified_at, coalesce(d.created_at, t.created_at), coalesce(`+token+`, '')
		from {registry}.tenants t left join {registry}.domains d on d.tenant_id = t.id where t.slug = $1
		order by d.is_primary desc, d.host`, slug)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		t, d := Tenant{}, Domain{}
		var until, verified *time.Time
		var host *string
		to := tenantFields(&t, &until)
		if r.details {
			to = append(to, &t.Operation, &t.Metadata, &t.Registry)
		}
		if err := rows.Scan(append(to, &host, &d.Primary, &verified, &d.CreatedAt, &d.Token)...); err != nil {
			return err
		}
		if until != nil {
			t.Until = *until
		}
		details.Tenant = t
		if host == nil {
			continue
		}
		if verified != nil {
			d.VerifiedAt = *verified
		}
		d.TenantID, d.Host = t.ID, *host
		details.Domains = append(details.Domains, d)
	}
	return rows.Err()
}
