package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// CreateParams say what tenant to create.
type CreateParams struct {
	Slug   string // see [ValidateSlug]
	Name   string // display name, see [ValidateDisplayName]; default: Slug
	Domain string // its primary domain, normalised by [NormalizeHost]; not an IP address; default: none
	Schema string // see [schemactx.ValidateName]; default and best: tenant_<id>, which cannot be chosen
}

func (p CreateParams) validate() (CreateParams, error) {
	if err := ValidateSlug(p.Slug); err != nil {
		return p, err
	}
	p.Name = cmp.Or(p.Name, p.Slug)
	if err := ValidateDisplayName(p.Name); err != nil {
		return p, err
	}
	if p.Schema != "" {
		if err := validateSchema(p.Schema); err != nil {
			return p, err
		}
	}
	var err error
	if p.Domain != "" {
		p.Domain, err = normalizeDomain(p.Domain)
	}
	return p, err
}

// Create makes a tenant: its row and domain, its schema and role, the tables of the tenant
// migrations, and what [Config].Seed puts into them; then it sets it active and returns it.
//
// A tenant needs no domain if the resolver finds it by something else: its slug below a base
// domain, a header, the metadata of a gRPC call. The first domain that it gets later, for instance
// by [Manager.AddDomain], becomes its primary one.
//
// Refused input is a [FieldError], a [schemactx.NameError], a [schemactx.SearchPathError] where the
// Migrator has the name on the path of every tenant, [ErrSlugTaken], [ErrDomainTaken] or, for a
// schema name that a tenant has or once had, [admin.ErrTaken], and nothing was changed. The same
// holds for a pool that is not the owner's, with a [schemactx.LoginError]. When a later step fails,
// or ctx ends, the error is a [StepError]; the row stays, its Operation says what failed, its hosts
// are answered with 503, and [Manager.Resume] goes on. After a crash at any point the same holds.
func (m *Manager) Create(ctx context.Context, p CreateParams) (Tenant, error) {
	p, err := p.validate()
	if err != nil {
		return Tenant{}, err
	}
	if err := m.checkSchemaName(p.Schema); err != nil {
		return Tenant{}, err
	}
	if err := m.checkServer(ctx, m.schemas); err != nil {
		return Tenant{}, err
	}
	l, err := m.openLock(ctx)
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant %q: %w", p.Slug, err)
	}
	defer l.release(ctx)
	var t Tenant
	if err := l.change(ctx, &t, insertCreated(p), &Operation{Op: OpCreate, Step: "schema"}); err != nil {
		return Tenant{}, fmt.Errorf("create tenant %q: %w", p.Slug, err)
	}
	err = m.runRecorded(ctx, l, OpCreate, &t, *t.Operation, m.createSteps(&t, true)...)
	return t, err
}

// createSteps make the schema of a tenant that has its row. A claim begins with the step "seed".
// fresh says that the schema is not made yet.
func (m *Manager) createSteps(t *Tenant, fresh bool) []step {
	activate := t.update("true", "status = 'active'")
	return append(m.schemaSteps(t, fresh), m.seedStep(t), step{name: "activate", write: &activate})
}

// schemaSteps make the schema of a tenant, which no session uses yet.
func (m *Manager) schemaSteps(t *Tenant, fresh bool) []step {
	return []step{
		{name: "schema", run: func(ctx context.Context) error { return m.provisionSchema(ctx, t) }},
		{name: "migrate", run: func(ctx context.Context) error {
			if fresh {
				return m.migrateNew(ctx, t.Schema)
			}
			return m.migrateUnused(ctx, t.Schema)
		}},
	}
}

func (m *Manager) provisionSchema(ctx context.Context, t *Tenant) error {
	server, err := m.server(t)
	if err == nil {
		err = m.checkServer(ctx, server)
	}
	if err != nil {
		return err
	}
	_, err = admin.Provision(ctx, server, m.cfg.Roles, t.Schema)
	return err
}

func (m *Manager) seedStep(t *Tenant) step {
	s := step{name: "seed"}
	if m.cfg.Seed != nil {
		s.run = func(ctx context.Context) error { return m.cfg.Seed(NewContext(ctx, t), t) }
	}
	return s
}

// insertCreated inserts the row with its primary domain, and takes the tenant's lock before another
// session can see it. The id comes first, as the schema's default name and the lock are made of it.
func insertCreated(p CreateParams) change {
	return change{
		with: `new as materialized (
			select id, coalesce(nullif($1, ''), 'tenant_' || id) as schema_name
			from (select nextval(pg_get_serial_sequence('{registry}.tenants', 'id')) as id) next
		), name as (
			insert into {registry}.schema_names (name, tenant_id) select schema_name, id from new
		), domain as (
			insert into {registry}.domains (tenant_id, host, is_primary, verified_at)
			select id, $4, true, now() from new where $4 <> ''
		), t as (
			insert into {registry}.tenants (id, schema_name, slug, name) select id, schema_name, $2, $3 from new returning *
		), locked as (` + takeNewLock("'tenant ' || new.id", "new") + `)`,
		from: "t, locked, " + working,
		args: []any{p.Schema, p.Slug, p.Name, p.Domain},
	}
}

// conflict names the unique constraint that a change ran into.
func conflict(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.ConstraintName {
	case "tenants_slug_key":
		return ErrSlugTaken
	case "domains_host_key":
		return ErrDomainTaken
	case "schema_names_pkey", "tenants_schema_name_key":
		return admin.ErrTaken
	}
	return err
}
