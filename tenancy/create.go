package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx/admin"
)

// CreateParams describe the tenant to create.
type CreateParams struct {
	Slug   string // see [ValidateSlug]
	Name   string // display name, see [ValidateDisplayName]; default: Slug
	Domain string // primary domain, normalised by [NormalizeHost]; not an IP address; default: none
	Schema string // see [schemactx.ValidateName]; default, and recommended: tenant_<id>, which cannot be chosen
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

// Create creates a tenant. It inserts the tenant's row and domain, creates its schema and role,
// applies the tenant migrations, calls [Config].Seed, sets the status active, and returns the
// tenant.
//
// The domain is optional: a resolver can find the tenant by its slug below a base domain, by a
// header, or by the metadata of a gRPC call. The first domain that is added later, for instance by
// [Manager.AddDomain], becomes the primary domain.
//
// Refused input is a [FieldError], a [schemactx.NameError], a [schemactx.SearchPathError] for a
// name that the Migrator has on the search path of every tenant, [ErrSlugTaken], [ErrDomainTaken],
// or [admin.ErrTaken] for a schema name that a tenant has or once had. For a pool that is not
// logged in as the owner role, the error is a [schemactx.LoginError]. After each of these errors
// nothing was changed.
//
// If a later step fails or ctx ends, the error is a [StepError]. The row stays, and its Operation
// says what has failed. Requests to its hosts are answered with 503. [Manager.Resume] continues.
// After a crash at any point the same holds.
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

// createSteps create the schema of a tenant that has its row, and make the tenant active. fresh
// reports whether the schema does not exist yet.
func (m *Manager) createSteps(t *Tenant, fresh bool) []step {
	return append(m.schemaSteps(t, fresh), m.activateSteps(t)...)
}

// activateSteps seed the migrated schema of a tenant and make the tenant active.
func (m *Manager) activateSteps(t *Tenant) []step {
	activate := t.update("true", "status = 'active'")
	return []step{m.seedStep(t), {name: "activate", write: &activate}}
}

// schemaSteps create and migrate the schema of a tenant. No session uses the schema yet.
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

// insertCreated inserts the row and the primary domain, and takes the tenant's lock before another
// session can see the row. It gets the id first, because the default schema name and the lock
// contain it.
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

// conflict returns the error that says which unique constraint a change has violated.
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
