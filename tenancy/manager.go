package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// Migrator brings one schema up to date. [github.com/oryne/pgtenant/migrate.Runner] is one.
type Migrator interface {
	// Migrate applies what is pending in schema; for "public", the shared migrations. It
	// can be run again after any failure and by several processes at once.
	Migrate(ctx context.Context, schema string) error
}

// Config says how a [Manager] works.
type Config struct {
	// Migrator brings schemas up to date. Required.
	Migrator Migrator

	// Roles are the names of the database's roles, as given to [schemactx.Setup]. Default:
	// [schemactx.DefaultRoleNames] of the database that the pool connects to.
	Roles schemactx.RoleNames

	// Logger gets a record for each step of a tenant's life. Nil discards.
	Logger *slog.Logger
}

// Manager makes and changes tenants. It is safe for concurrent use, also by several
// processes on one database.
type Manager struct {
	*Registry
	owner    *pgxpool.Pool
	migrator Migrator
	roles    schemactx.RoleNames
	logger   *slog.Logger
}

// New returns a manager that works through owner, a pool logged in as the owner role of
// [schemactx.Setup]. It does not connect and does not close the pool.
func New(owner *pgxpool.Pool, cfg Config) (*Manager, error) {
	if owner == nil {
		return nil, errors.New("tenancy: pool is nil")
	}
	if cfg.Migrator == nil {
		return nil, errors.New("tenancy: Config.Migrator is nil")
	}
	if cfg.Roles == (schemactx.RoleNames{}) {
		cfg.Roles = schemactx.DefaultRoleNames(owner.Config().ConnConfig.Database)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Manager{
		Registry: NewRegistry(owner),
		owner:    owner,
		migrator: cfg.Migrator,
		roles:    cfg.Roles,
		logger:   cfg.Logger,
	}, nil
}

// Init applies the shared migrations, which make the registry, and lets the public role
// read tenants and domains. It can be run again, and a program runs it at every start.
func (m *Manager) Init(ctx context.Context) error {
	if err := m.migrator.Migrate(ctx, schemactx.Public); err != nil {
		return fmt.Errorf("migrate the registry: %w", err)
	}
	role, err := schemactx.QuoteName(m.roles.Public())
	if err != nil {
		return err
	}
	if _, err := m.owner.Exec(ctx, "grant select on public.tenants, public.domains to "+role); err != nil {
		return fmt.Errorf("grant reading of the registry: %w", err)
	}
	return nil
}

// CreateParams say what tenant to create.
type CreateParams struct {
	Slug   string // see [ValidateSlug]
	Name   string // display name, see [ValidateName]; default: Slug
	Domain string // its primary domain, normalised by [NormalizeHost]; not an IP address
	Schema string // see [schemactx.ValidateName]; default and best: tenant_<id>
}

func (p CreateParams) validate() (CreateParams, error) {
	if err := ValidateSlug(p.Slug); err != nil {
		return p, err
	}
	p.Name = cmp.Or(p.Name, p.Slug)
	if err := ValidateName(p.Name); err != nil {
		return p, err
	}
	if p.Schema != "" {
		if err := schemactx.ValidateName(p.Schema); err != nil {
			return p, err
		}
	}
	host, err := normalizeDomain(p.Domain)
	p.Domain = host
	return p, err
}

// Create makes a tenant: its row and domain, its schema and role, and the tables of the
// tenant migrations; then it sets it active and returns it.
//
// Refused input is a [FieldError] or a [schemactx.NameError], [ErrSlugTaken] or
// [ErrDomainTaken], and nothing was changed. When a later step fails, or ctx ends, the
// error is a [CreateError]; the row stays and says what failed, its hosts are answered with
// 503, and [Manager.Resume] goes on. After a crash at any point the same holds.
func (m *Manager) Create(ctx context.Context, p CreateParams) (Tenant, error) {
	p, err := p.validate()
	if err != nil {
		return Tenant{}, err
	}
	var t Tenant
	err = pgx.BeginFunc(ctx, m.owner, func(tx pgx.Tx) error {
		t, err = insertTenant(ctx, tx, p)
		return err
	})
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant %q: %w", p.Slug, conflict(err))
	}
	return m.provision(ctx, t)
}

// Resume goes on with a tenant whose creation failed or was interrupted, and returns it
// active. A tenant in any other status than provisioning is [ErrStatus].
func (m *Manager) Resume(ctx context.Context, slug string) (Tenant, error) {
	t, err := m.BySlug(ctx, slug)
	if err != nil {
		return Tenant{}, err
	}
	if t.Status != Provisioning {
		return t, fmt.Errorf("resume tenant %q: %w: %s", slug, ErrStatus, t.Status)
	}
	return m.provision(ctx, t)
}

// provision does what comes after the row. Each step can be run again.
func (m *Manager) provision(ctx context.Context, t Tenant) (Tenant, error) {
	steps := []struct {
		name string
		run  func() error
	}{
		{"schema", func() error { return schemactx.Provision(ctx, m.owner, m.roles, t.Schema) }},
		{"migrate", func() error { return m.migrator.Migrate(ctx, t.Schema) }},
		{"activate", func() error { return m.activate(ctx, &t) }},
	}
	for _, step := range steps {
		if err := step.run(); err != nil {
			t.Failure = step.name + ": " + err.Error()
			m.recordFailure(ctx, t)
			m.logger.ErrorContext(ctx, "tenant not created", slog.String("tenant", t.Slug), slog.String("step", step.name), slog.Any("error", err))
			return t, &CreateError{Tenant: t, Step: step.name, Err: err}
		}
	}
	m.logger.InfoContext(ctx, "tenant created", slog.String("tenant", t.Slug), slog.String("schema", t.Schema))
	return t, nil
}

// activate is the last step. Two that provision the same tenant both succeed.
func (m *Manager) activate(ctx context.Context, t *Tenant) error {
	return m.owner.QueryRow(ctx, `update public.tenants set status = 'active', failure = '', updated_at = now()
		where id = $1 and status in ('provisioning', 'active') returning status, failure, updated_at`,
		t.ID).Scan(&t.Status, &t.Failure, &t.UpdatedAt)
}

// failureTimeout bounds the note of a failure, which is written when ctx is over too.
const failureTimeout = 5 * time.Second

// recordFailure notes on the row what stopped the tenant, also when ctx is over.
func (m *Manager) recordFailure(ctx context.Context, t Tenant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureTimeout)
	defer cancel()
	_, err := m.owner.Exec(ctx, "update public.tenants set failure = $2, updated_at = now() where id = $1 and status = 'provisioning'", t.ID, t.Failure)
	if err != nil {
		m.logger.ErrorContext(ctx, "failure not recorded", slog.String("tenant", t.Slug), slog.Any("error", err))
	}
}

// insertTenant inserts the row and its primary domain. The id comes first, as the schema's
// default name is made of it.
func insertTenant(ctx context.Context, tx pgx.Tx, p CreateParams) (Tenant, error) {
	rows, err := tx.Query(ctx, `with new as (select nextval(pg_get_serial_sequence('public.tenants', 'id')) as id)
		insert into public.tenants as t (id, schema_name, slug, name)
		select id, coalesce(nullif($1, ''), 'tenant_' || id), $2, $3 from new
		returning `+tenantColumns, p.Schema, p.Slug, p.Name)
	if err != nil {
		return Tenant{}, err
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Tenant])
	if err != nil {
		return Tenant{}, err
	}
	_, err = tx.Exec(ctx, "insert into public.domains (tenant_id, host, is_primary) values ($1, $2, true)", t.ID, p.Domain)
	return t, err
}

// conflict names the unique constraint that an insert ran into.
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
	case "tenants_schema_name_key":
		return schemactx.ErrTaken
	}
	return err
}
