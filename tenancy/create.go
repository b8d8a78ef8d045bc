package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

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
// Migrator has the name on the path of every tenant, [ErrSlugTaken], [ErrDomainTaken] or, for a schema name that a tenant has or once had, [admin.ErrTaken], and nothing was
// changed. The same holds for a pool that is not the owner's, with a [schemactx.LoginError]. When a
// later step fails, or ctx ends, the error is a [StepError]; the row stays and says what failed,
// its hosts are answered with 503, and [Manager.Resume] goes on. After a crash at any point the
// same holds.
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
	t, l, err := m.insertLocked(ctx, p)
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant %q: %w", p.Slug, conflict(err))
	}
	defer l.release(ctx)
	err = m.provision(ctx, l, OpCreate, &t)
	return t, err
}

// Resume goes on with a tenant whose creation failed or was interrupted, and returns it
// active, or with a rename or a replacement of its schema that did ([Manager.Rename], [Staging.Replace]), which leave
// its status. Where there is nothing to go on with, it is a [StatusError].
func (m *Manager) Resume(ctx context.Context, slug string) (Tenant, error) {
	return m.locked(ctx, OpResume, slug, func(l *lease, t *Tenant) error {
		switch {
		case t.Status == Provisioning:
			return m.provision(ctx, l, OpResume, t)
		case t.NextSchema != "":
			return m.run(ctx, l, OpResume, t, m.renameSteps(t)...)
		}
		steps, err := m.unended(ctx, t)
		if err != nil {
			return fmt.Errorf("%s of tenant %q: %w", OpResume, slug, err)
		}
		if len(steps) > 0 {
			return m.run(ctx, l, OpResume, t, steps...)
		}
		return &StatusError{Op: OpResume, Slug: t.Slug, Status: t.Status}
	})
}

// provision does what comes after the row, under the tenant's lock. Each step can be run again.
func (m *Manager) provision(ctx context.Context, l *lease, op Op, t *Tenant) error {
	return m.build(
		ctx, l, op, t,
		step{"schema", func(ctx context.Context) error { return m.provisionSchema(ctx, t) }},
		step{"migrate", func(ctx context.Context) error { return m.migrate(ctx, op, t) }},
		step{"seed", func(ctx context.Context) error { return m.seed(ctx, t) }},
		step{"activate", func(ctx context.Context) error { return m.activate(ctx, t) }},
	)
}

// build is run for a tenant that nobody uses yet: it notes on the row what stopped it, as long as that is its own to change.
func (m *Manager) build(ctx context.Context, l *lease, op Op, t *Tenant, steps ...step) error {
	err := m.run(ctx, l, op, t, steps...)
	if stepErr := (*StepError)(nil); errors.As(err, &stepErr) && !errors.Is(err, ErrLockLost) {
		t.Failure = failureText(stepErr)
		stepErr.Tenant = *t
		m.recordFailure(ctx, t)
	}
	return err
}

func (m *Manager) provisionSchema(ctx context.Context, t *Tenant) error {
	server, err := m.server(t)
	if err == nil {
		err = m.checkServer(ctx, server)
	}
	if err != nil {
		return err
	}
	var owner admin.Beginner = server
	if m.hasty() {
		owner = hastyPool{server}
	}
	_, err = admin.Provision(ctx, owner, m.cfg.Roles, t.Schema)
	return err
}

func (m *Manager) seed(ctx context.Context, t *Tenant) error {
	if m.cfg.Seed == nil {
		return nil
	}
	return m.cfg.Seed(NewContext(ctx, t), t)
}

func (m *Manager) activate(ctx context.Context, t *Tenant) error {
	return m.update(ctx, t, "status = 'active', failure = ''")
}

// MaxFailureLen is the longest [Tenant].Failure, in bytes: longer errors are cut.
const MaxFailureLen = 4096

// failureText is what the column can hold of an error: what is noted of one with strange bytes is better than nothing.
func failureText(e *StepError) string {
	text := e.Step + ": " + e.Err.Error()
	if len(text) > MaxFailureLen {
		text = text[:MaxFailureLen-len("...")] + "..."
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}

// failureTimeout bounds the note of a failure, which is written when ctx is over too.
const failureTimeout = 5 * time.Second

// recordFailure notes on the row what stopped the tenant, also when ctx is over.
func (m *Manager) recordFailure(ctx context.Context, t *Tenant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureTimeout)
	defer cancel()
	if err := m.update(ctx, t, "failure = $2", t.Failure); err != nil {
		m.cfg.Logger.ErrorContext(ctx, "failure not recorded", slog.String("tenant", t.Slug), slog.Any("error", err))
	}
}

// insertLocked inserts the row with its primary domain, and takes the tenant's lock before
// anybody can see it: one statement. The id comes first, as the schema's default name and the
// lock are made of it.
func (m *Manager) insertLocked(ctx context.Context, p CreateParams) (Tenant, *lease, error) {
	l, err := m.openLease(ctx)
	if err != nil {
		return Tenant{}, nil, err
	}
	t, err := writeRow(ctx, l.conn, scanTenant, `with new as materialized (
			select id, coalesce(nullif($1, ''), 'tenant_' || id) as schema_name
			from (select nextval(pg_get_serial_sequence('{registry}.tenants', 'id')) as id) next
		), name as (
			insert into {registry}.schema_names (name, tenant_id) select schema_name, id from new
		), domain as (
			insert into {registry}.domains (tenant_id, host, is_primary, verified_at) select id, $4, true, now() from new where $4 <> ''
		), t as (
			insert into {registry}.tenants (id, schema_name, slug, name) select id, schema_name, $2, $3 from new returning *
		), locked as (`+takeNewLock("'tenant ' || new.id", "new")+`)
		select `+tenantDetailsColumns+` from t, locked, lateral (select `+workLock("t.schema_name")+`,
			case when $5 <> '' then set_config('synchronous_commit', $5, true) end) as working`,
		p.Schema, p.Slug, p.Name, p.Domain, m.commitMode())
	if err != nil {
		l.release(ctx)
		return Tenant{}, nil, err
	}
	return t, l, nil
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
