package migrate

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// scratchComment marks the schemas that may be dropped: a name alone is no proof.
const scratchComment = "pgtenant: builds a reference, may be dropped"

// scratchTimeout bounds the dropping of a scratch schema when the caller's context is over.
const scratchTimeout = time.Minute

// scratchKey is that of the lock on a scratch schema, $1, which its session holds.
const scratchKey = "hashtextextended('pgtenant.scratch.' || $1::text, 0)"

// referenceInSchema builds the reference in a schema that everybody sees. The lock is on a connection that leaves the
// pool, as migrations need one of the pool's meanwhile.
func (r *Runner) referenceInSchema(ctx context.Context, t target, opts FingerprintOptions) (s Structure, err error) {
	lease, err := r.pool.Acquire(ctx)
	if err != nil {
		return s, err
	}
	conn := lease.Hijack()
	defer closeConn(ctx, conn)
	roles, err := sweepScratch(ctx, conn, opts.Roles)
	if err != nil {
		return s, err
	}
	if _, err := lockScratch(ctx, conn, t.schema); err != nil {
		return s, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scratchTimeout)
		defer cancel()
		err = errors.Join(err, dropScratch(ctx, conn, roles, t.schema))
	}()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		return makeScratch(ctx, tx, t, opts.Roles)
	})
	if err != nil {
		return s, err
	}
	if err := r.Migrate(ctx, t.schema); err != nil {
		return s, err
	}
	return readOne(ctx, conn, t, opts)
}

// sweepScratch drops what earlier calls have left, because they crashed or because a Go migration committed: schemas
// of ours whose session is gone.
func sweepScratch(ctx context.Context, conn *pgx.Conn, roles schemactx.RoleNames) (schemactx.RoleNames, error) {
	roles, err := rolesOf(ctx, conn, roles)
	if err != nil {
		return roles, err
	}
	rows, err := conn.Query(ctx, `select nspname::text from pg_namespace
		where starts_with(nspname::text, $1) and obj_description(oid, 'pg_namespace') = $2
		and nspowner = (select oid from pg_roles where rolname = current_user)`, scratchPrefix, scratchComment)
	if err != nil {
		return roles, err
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return roles, err
	}
	for _, schema := range left {
		free, err := lockScratch(ctx, conn, schema)
		if err != nil {
			return roles, err
		}
		if !free {
			continue
		}
		err = dropScratch(ctx, conn, roles, schema)
		_, unlockErr := conn.Exec(ctx, "select pg_advisory_unlock("+scratchKey+")", schema)
		if err := errors.Join(err, unlockErr); err != nil {
			return roles, err
		}
	}
	return roles, nil
}

func lockScratch(ctx context.Context, conn *pgx.Conn, schema string) (free bool, err error) {
	err = conn.QueryRow(ctx, "select pg_try_advisory_lock("+scratchKey+")", schema).Scan(&free)
	return free, err
}

// dropScratch drops a scratch schema and its role, as far as they are there.
func dropScratch(ctx context.Context, conn *pgx.Conn, roles schemactx.RoleNames, schema string) error {
	quoted, err := schemactx.QuoteName(schema)
	if err != nil {
		return err
	}
	role, err := schemactx.QuoteName(roles.Tenant(schema))
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "set local client_min_messages = 'warning'; drop schema if exists "+quoted+" cascade; drop role if exists "+role,
			pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// closeConn closes a connection that has left the pool.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = conn.Close(ctx) // gone in any case
}
