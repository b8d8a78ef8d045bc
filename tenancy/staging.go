package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/internal/schemalock"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// Staging is a new, empty schema that serves no requests. The caller fills it. Then it becomes a
// tenant ([Staging.Adopt]), replaces the schema of a tenant ([Staging.Replace]), or is dropped
// ([Staging.Close]).
//
// A Staging opens a connection beside the pool. The session of that connection holds the lock of
// the schema. If the process or the connection ends, the lock is free, and
// [Manager.SweepStagedSchemas] drops the schema. A Staging is for one goroutine at a time.
type Staging struct {
	m      *Manager
	lock   *lock
	staged AuxiliarySchema
	adopt  *AdoptParams // parameters of Adopt, for a new tenant; else nil
	done   bool         // it has become a schema of a tenant, or is closed
}

// StageTenant creates a schema, tenant_<id>, for a new tenant. It returns the errors that
// [Staging.Adopt] would return now: a [FieldError], [ErrSlugTaken] or [ErrDomainTaken]. The tenant
// is not in the registry before Adopt.
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

// StageReplacement creates a schema, tenant_<id>_r<number>, that is to replace the schema of a
// tenant. The tenant's lock is not held, and the tenant is served as before.
//
// The error is [ErrNotFound] for a tenant that does not exist, a [StatusError] if its status does
// not allow the replacement, a [BusyError] if another operation on it has not ended, and a
// [ReplacedError] if it already has a retained schema. If objects outside of the tenant's schema
// depend on it, such as a view or a foreign key in public, the error is an [admin.DependentsError]
// that names them. [Staging.Replace] checks all of this again.
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

// StageScratch creates a schema, pgtenant_check_<number>, that belongs to no tenant. It can only be
// dropped again, by [Staging.Close].
func (m *Manager) StageScratch(ctx context.Context) (*Staging, error) {
	s, err := m.stage(ctx, `select side, $1::bigint, 'pgtenant_check_' || side
		from (select nextval(pg_get_serial_sequence('{registry}.side_schemas', 'id')) as side) x`, 0)
	if err != nil {
		return nil, fmt.Errorf("stage a schema: %w", err)
	}
	return s, nil
}

// stage inserts the row of the schema and takes its lock, in one statement, and then creates the
// schema. names is SQL that returns the id, the tenant's id and the name of the schema. Its
// argument is tenant, the id of an existing tenant, or 0. A schema that already has the name is
// refused before the insert, because a failure after the insert drops the schema.
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

// insertStaged inserts the row of a schema that is to be built, and takes its lock. tenant is the
// id of an existing tenant, or 0.
func (l *lock) insertStaged(ctx context.Context, side *AuxiliarySchema, tenant int64) (s AuxiliarySchema, err error) {
	allowed := "select 1"
	if tenant != 0 { // with the row lock, either a drop sees the new schema, or this statement sees the drop
		allowed += " from {registry}.tenants where id = $2 and status <> 'dropping' for share"
	}
	err = l.use(func(conn *registrydb.Conn) error {
		s, err = writeRow(ctx, conn, scanAuxiliary, `with allowed as materialized (`+allowed+`),
			name as (insert into {registry}.schema_names (name, tenant_id) select $3::text, $2::bigint from allowed),
			s as (insert into {registry}.side_schemas (id, tenant_id, schema_name)
				select $1::bigint, $2, $3 from allowed returning *),
			locked as (`+takeNewLock("'side ' || s.id", "s")+`)
			select `+auxiliaryColumns+` from s, locked,
				lateral (select `+schemalock.Scratch.Share("s.schema_name")+`) as working`,
			side.ID, side.TenantID, side.Schema)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("%w: the tenant is being dropped", ErrStatus)
	}
	return s, conflict(err)
}

// checkVacant returns an error if the pool of the server does not work as the owner role, or if the
// server has a schema of that name. The registry may not know such a schema: it may have been
// restored from an older backup.
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

// stagingTimeout limits the time in which Close drops the schema. After that,
// [Manager.SweepStagedSchemas] has to drop it.
const stagingTimeout = time.Minute

// Close drops the schema, unless it has become a tenant's, and releases the connection. It works
// also if ctx has ended, and takes at most a minute. An error only means that the schema is left
// for [Manager.SweepStagedSchemas]. Close can be called again.
func (s *Staging) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stagingTimeout)
	defer cancel()
	var err error
	if !s.done {
		s.done = true
		if _, err = s.m.dropAuxiliary(ctx, s.lock, &s.staged); err != nil {
			s.m.cfg.Logger.WarnContext(ctx, "staged schema was not dropped",
				slog.String("schema", s.staged.Schema), slog.Any("error", err))
			err = fmt.Errorf("drop staged schema %q: %w", s.staged.Schema, err)
		}
	}
	s.lock.release(ctx)
	return err
}

// wrapLost adds [ErrStagingLost] to the error of an operation that has lost its session.
func (s *Staging) wrapLost(err error) error {
	if errors.Is(err, ErrLockLost) {
		return fmt.Errorf("%w: %w", ErrStagingLost, err)
	}
	return err
}
