package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// Staging is a new schema that nobody is served from while it is built: provisioned, and empty. It
// becomes a tenant ([Staging.Adopt]), takes the place of a tenant's schema ([Staging.Replace]), or
// is dropped by Close.
//
// A connection of its own, beside the pool, holds a lock that says that it is in use. When the
// process has ended, or the connection has, so has the lock, and [Manager.SweepStagedSchemas] drops
// the schema. It is for one goroutine at a time.
type Staging struct {
	m      *Manager
	lock   *lock
	staged AuxiliarySchema
	adopt  *AdoptParams // of a new tenant; else nil
	done   bool         // it is a tenant's
}

// StageTenant makes a schema that is to become a new tenant's, tenant_<id>. It refuses what
// [Staging.Adopt] would, as far as that can be told by now: a [FieldError], [ErrSlugTaken],
// [ErrDomainTaken]. Nothing of the tenant is seen before that.
func (m *Manager) StageTenant(ctx context.Context, p AdoptParams) (*Staging, error) {
	p, err := p.validate()
	if err != nil {
		return nil, err
	}
	if err := m.checkAdoptable(ctx, p); err != nil {
		return nil, fmt.Errorf("%s tenant %q: %w", OpAdopt, p.Slug, err)
	}
	s, err := m.stage(ctx, `select side, tenant, 'tenant_' || tenant from (
		select nextval(pg_get_serial_sequence('{registry}.side_schemas', 'id')) as side,
			nextval(pg_get_serial_sequence('{registry}.tenants', 'id')) as tenant where $1::bigint = 0) x`, 0)
	if err != nil {
		return nil, fmt.Errorf("stage tenant %q: %w", p.Slug, err)
	}
	s.adopt = &p
	return s, nil
}

// StageReplacement makes a schema that is to take the place of a tenant's, tenant_<id>_r<number>. A
// tenant that does not exist is [ErrNotFound], one whose status does not allow it a [StatusError],
// one with an operation that has not ended a [BusyError], and one that has a retained schema a
// [ReplacedError]. If objects outside of the tenant's schema depend on it, such as a view or a
// foreign key in public, the error is a [admin.DependentsError] that names them. [Staging.Replace]
// checks all of this again. The tenant is served meanwhile, and its lock is not held.
func (m *Manager) StageReplacement(ctx context.Context, slug string) (*Staging, error) {
	t, err := m.BySlug(ctx, slug)
	if err == nil {
		err = m.checkReplaceable(ctx, &t)
	}
	if err != nil {
		return nil, err
	}
	s, err := m.stage(ctx, `select side, $1::bigint, 'tenant_' || $1 || '_r' || side
		from (select nextval(pg_get_serial_sequence('{registry}.side_schemas', 'id')) as side) x`, t.ID)
	if err != nil {
		return nil, fmt.Errorf("stage a replacement for tenant %q: %w", slug, err)
	}
	return s, nil
}

// StageScratch makes a schema to look at, pgtenant_check_<number>, which can only be dropped again.
func (m *Manager) StageScratch(ctx context.Context) (*Staging, error) {
	s, err := m.stage(ctx, `select side, $1::bigint, 'pgtenant_check_' || side
		from (select nextval(pg_get_serial_sequence('{registry}.side_schemas', 'id')) as side) x`, 0)
	if err != nil {
		return nil, fmt.Errorf("stage a schema: %w", err)
	}
	return s, nil
}

// stage notes the schema before it makes it, and takes its lock before anybody can see the note:
// one statement. names is SQL for its id, its tenant, which is $1 where there is one, and its name.
// What is there under the name already is found before the note: what is noted is dropped where
// this fails.
func (m *Manager) stage(ctx context.Context, names string, tenant int64) (*Staging, error) {
	var side AuxiliarySchema
	err := m.registry.QueryRow(ctx, names, tenant).Scan(&side.ID, &side.TenantID, &side.Schema)
	if err == nil {
		err = m.checkVacant(ctx, &side)
	}
	if err != nil {
		return nil, initialized(err)
	}
	l, err := m.connectLock(ctx)
	if err != nil {
		return nil, err
	}
	s := &Staging{m: m, lock: l}
	if s.staged, err = l.insertStaged(ctx, &side, tenant); err != nil {
		l.release(ctx)
		return nil, err
	}
	if err := l.hold(ctx, s.provision); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// insertStaged records a schema that is to be built, for a tenant that exists or 0, and takes its
// lock.
func (l *lock) insertStaged(ctx context.Context, side *AuxiliarySchema, tenant int64) (s AuxiliarySchema, err error) {
	allowed := "select 1"
	if tenant != 0 { // the row lock: either a drop sees the new side schema, or this sees the drop
		allowed += " from {registry}.tenants where id = $2 and status <> 'dropping' for share"
	}
	err = l.use(func(conn *registrydb.Conn) error {
		s, err = writeRow(ctx, conn, scanAuxiliary, `with allowed as materialized (`+allowed+`),
			name as (insert into {registry}.schema_names (name, tenant_id) select $3::text, $2::bigint from allowed),
			s as (insert into {registry}.side_schemas (id, tenant_id, schema_name)
				select $1::bigint, $2, $3 from allowed returning *),
			locked as (`+takeNewLock("'side ' || s.id", "s")+`)
			select `+auxiliaryColumns+` from s, locked, lateral (select `+workLock("s.schema_name")+`) as working`,
			side.ID, side.TenantID, side.Schema)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("%w: the tenant is being dropped", ErrStatus)
	}
	return s, conflict(err)
}

// checkVacant returns an error where the pool of the server is not the owner's, or where the server has
// a schema of the name, such as that of a tenant which a registry that was taken back from a backup
// does not know.
func (m *Manager) checkVacant(ctx context.Context, side *AuxiliarySchema) error {
	server, err := m.server(&Tenant{Placement: "default"})
	if err == nil {
		err = m.checkServer(ctx, server)
	}
	if err != nil {
		return err
	}
	exists, err := schemaExists(ctx, server, side.Schema)
	if err == nil && exists {
		err = fmt.Errorf("schema %q: %w", side.Schema, admin.ErrTaken)
	}
	return err
}

func (s *Staging) provision(ctx context.Context) error {
	server, err := s.m.server(&Tenant{Placement: s.staged.placement})
	if err != nil {
		return err
	}
	_, err = admin.Provision(ctx, server, s.m.cfg.Roles, s.staged.Schema)
	return err
}

// Schema returns the name of the schema.
func (s *Staging) Schema() string { return s.staged.Schema }

// TenantID returns the id of the tenant that the schema is built for, 0 for none.
func (s *Staging) TenantID() int64 { return s.staged.TenantID }

// stagingTimeout bounds the dropping of a staged schema that came to nothing: when it is over,
// sweeping is left to do it.
const stagingTimeout = time.Minute

// Close drops the schema, unless it has become a tenant's, also when ctx is over, for which it
// takes a minute at most. An error says that something is left for [Manager.SweepStagedSchemas], and
// nothing else. It can be called again.
func (s *Staging) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stagingTimeout)
	defer cancel()
	var err error
	if !s.done {
		s.done = true
		if err = s.m.dropAuxiliary(ctx, s.lock, &s.staged); err != nil {
			s.m.cfg.Logger.WarnContext(ctx, "staged schema is left",
				slog.String("schema", s.staged.Schema), slog.Any("error", err))
			err = fmt.Errorf("drop staged schema %q: %w", s.staged.Schema, err)
		}
	}
	s.lock.release(ctx)
	return err
}

// wrapLost says of an operation that has lost its session that the staged schema is lost with it.
func (s *Staging) wrapLost(err error) error {
	if errors.Is(err, ErrLockLost) {
		return fmt.Errorf("%w: %w", ErrStagingLost, err)
	}
	return err
}
