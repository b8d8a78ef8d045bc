package tenancy

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// DropRequest is a request to drop a tenant or its retained schema, and what the drop would delete.
type DropRequest struct {
	ID          int64
	Token       string // only from [Manager.RequestDrop], and not stored anywhere
	Tenant      Tenant
	Schema      string // the retained schema to drop, from [Manager.RequestConfirm]; empty: the tenant is dropped
	Actor       string
	RequestedAt time.Time
	ExpiresAt   time.Time
	ApprovedBy  string // the person who has called [Manager.ApproveDrop]; empty: not approved
	Contents    Contents
}

// Contents counts what a drop deletes: the tenant's schema, its retained schema
// ([Manager.RetainedSchema]) if there is one, and its domains. For [Manager.RequestConfirm] it
// counts the retained schema alone.
type Contents struct {
	Tables  int      // including the version table of the migrations
	Rows    int64    // PostgreSQL's estimate
	Bytes   int64    // on disk, with indexes
	Domains []string // verified domains, the primary one first
}

// String omits the token, which must not get into a log.
func (r DropRequest) String() string {
	return fmt.Sprintf("drop request %d of %q for tenant %q until %s",
		r.ID, r.Actor, r.Tenant.Slug, r.ExpiresAt.Format(time.RFC3339))
}

// GoString returns String, for %#v.
func (r DropRequest) GoString() string { return r.String() }

// LogValue omits the token.
func (r DropRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("id", r.ID), slog.String("tenant", r.Tenant.Slug), slog.String("actor", r.Actor),
		slog.Time("expires", r.ExpiresAt))
}

// RequestDrop requests the drop of a tenant, in any status. It returns the token for [Manager.Drop]
// and the contents that the drop would delete. A program shows both to the actor, who confirms by
// entering the token. The token has 256 random bits and is valid for this tenant and this actor
// until ExpiresAt. The database stores only its SHA-256. Requests do not affect each other, and
// nothing else changes.
//
// actor is the person whom the program has authenticated, as one line of 1 to [MaxActorLen]
// characters. The error is [ErrDropDisabled], a [FieldError], [ErrNotFound], or a
// [schemactx.NameError] for a tenant with a schema name that no tenant can have, such as public.
func (m *Manager) RequestDrop(ctx context.Context, slug, actor string) (DropRequest, error) {
	return m.request(ctx, slug, "", actor)
}

// RequestConfirm is [Manager.RequestDrop] for [Manager.ConfirmReplacement]: it requests the drop of
// the retained schema alone. schema is the name that [Manager.RetainedSchema] returns, and Contents
// are those of that schema. The token drops no tenant, and a token of RequestDrop confirms no
// replacement. For a tenant without such a schema, the error is [ErrNoRetainedSchema].
func (m *Manager) RequestConfirm(ctx context.Context, slug, schema, actor string) (DropRequest, error) {
	if schema == "" {
		return DropRequest{}, fmt.Errorf("request to confirm the replacement of tenant %q: %w", slug, ErrNoRetainedSchema)
	}
	return m.request(ctx, slug, schema, actor)
}

func (m *Manager) request(ctx context.Context, slug, schema, actor string) (DropRequest, error) {
	r, err := m.requestDrop(ctx, slug, schema, actor)
	e := DropEvent{Op: OpRequestDrop, Actor: actor, Slug: slug, Tenant: r.Tenant, Schema: schema, RequestID: r.ID}
	if err = m.outcome(ctx, e, DropRequested, err); err != nil {
		return DropRequest{}, err
	}
	return r, nil
}

func (m *Manager) requestDrop(ctx context.Context, slug, schema, actor string) (DropRequest, error) {
	r := DropRequest{Actor: actor, Schema: schema}
	if err := m.checkDropAllowed(actor); err != nil {
		return r, err
	}
	var err error
	if r.Tenant, err = m.BySlug(ctx, slug); err != nil {
		return r, fmt.Errorf("request drop: %w", err)
	}
	if schema != "" {
		if _, err := m.retainedNamed(ctx, &r.Tenant, schema); err != nil {
			return r, fmt.Errorf("request to confirm the replacement of tenant %q: %w", slug, err)
		}
	}
	if r.Contents, err = m.contents(ctx, &r); err != nil {
		return r, fmt.Errorf("request drop of tenant %q: %w", slug, err)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	token := base64.RawURLEncoding.EncodeToString(secret)
	err = m.registry.QueryRow(ctx, `insert into {registry}.drop_requests
			(tenant_id, actor, token_hash, expires_at, schema_name)
		select id, $2, $3, now() + $4 * interval '1 millisecond', $5 from {registry}.tenants where id = $1
		returning id, requested_at, expires_at`,
		r.Tenant.ID, actor, hashToken(token, schema), m.cfg.Drop.TTL.Milliseconds(), schema).
		Scan(&r.ID, &r.RequestedAt, &r.ExpiresAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("%w: it was dropped in the meantime", ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("request drop of tenant %q: %w", slug, err)
	}
	r.Token = token
	return r, nil
}

// checkDropAllowed returns an error if drops are disabled or the actor is invalid.
func (m *Manager) checkDropAllowed(actor string) error {
	if !m.cfg.Drop.Enabled {
		return ErrDropDisabled
	}
	return validateActor(actor)
}

// hashToken returns the hash of a token that the registry stores. The hash for a retained schema
// also covers the schema's name: a process of a release without RequestConfirm would otherwise
// accept the token for the tenant.
func hashToken(token, schema string) []byte {
	if schema != "" {
		token = schema + " " + token
	}
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// DropRequest returns the request with that id, without its token, for a person who is to approve
// it. Tenant and contents are the current ones. If the request does not exist or its tenant is
// gone, the error is [ErrDropRequest].
func (m *Manager) DropRequest(ctx context.Context, id int64) (DropRequest, error) {
	r, err := m.dropRequest(ctx, id)
	if err != nil {
		return DropRequest{}, fmt.Errorf("drop request %d: %w", id, err)
	}
	return r, nil
}

func (m *Manager) dropRequest(ctx context.Context, id int64) (DropRequest, error) {
	r := DropRequest{ID: id}
	var tenant int64
	err := m.registry.QueryRow(ctx, `select tenant_id, actor, requested_at, expires_at, approved_by, schema_name
		from {registry}.drop_requests where id = $1`, id).
		Scan(&tenant, &r.Actor, &r.RequestedAt, &r.ExpiresAt, &r.ApprovedBy, &r.Schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, ErrDropRequest
	}
	if err != nil {
		return r, initialized(err)
	}
	r.Tenant, err = m.ByID(ctx, tenant)
	if errors.Is(err, ErrNotFound) {
		return r, fmt.Errorf("%w: %w", ErrDropRequest, err)
	}
	if err != nil {
		return r, err
	}
	r.Contents, err = m.contents(ctx, &r)
	return r, err
}

// contents counts what a drop deletes. It finds the relations of a schema by pg_depend, because no
// index of pg_class begins with the schema. A schema that does not exist contains nothing.
func (m *Manager) contents(ctx context.Context, r *DropRequest) (Contents, error) {
	var c Contents
	t := &r.Tenant
	if err := schemactx.ValidateName(t.Schema); err != nil {
		return c, err
	}
	server, err := m.server(t)
	if err != nil {
		return c, err
	}
	schemas := []string{r.Schema}
	if r.Schema == "" {
		schemas, err = m.schemasOf(ctx, t)
	}
	if err != nil {
		return c, err
	}
	err = server.QueryRow(ctx, `select count(*) filter (where relkind in ('r', 'p')),
			coalesce(sum(greatest(reltuples, pg_stat_get_live_tuples(c.oid), 0)) filter (where relkind = 'r'), 0)::bigint,
			coalesce(sum(pg_total_relation_size(c.oid)) filter (where relkind in ('r', 'm')), 0)::bigint
		from pg_namespace n
		join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
			and d.classid = 'pg_class'::regclass
		join pg_class c on c.oid = d.objid
		where n.nspname = any($1)`, schemas).Scan(&c.Tables, &c.Rows, &c.Bytes)
	if err != nil {
		return c, fmt.Errorf("contents of schema %s: %w", strconv.Quote(t.Schema), err)
	}
	if r.Schema != "" {
		return c, nil
	}
	domains, err := m.Domains(ctx, t.ID)
	for _, d := range domains {
		if d.Verified() {
			c.Domains = append(c.Domains, d.Host)
		}
	}
	return c, err
}
