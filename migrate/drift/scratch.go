package drift

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/schemalock"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// scratchTimeout bounds the drop of a scratch schema, which ignores the caller's context.
const scratchTimeout = time.Minute

// referenceIn builds the reference in the schema. The lock is on a connection that is taken out of
// the pool, because the migrations need one of the pool at the same time.
func referenceIn(ctx context.Context, r *migrate.Runner, schema string, opts ReadOptions) (s Structure, err error) {
	lease, err := r.Pool().Acquire(ctx)
	if err != nil {
		return s, err
	}
	conn := lease.Hijack()
	defer closeConn(ctx, conn)
	roles, err := sweepScratch(ctx, conn, opts.Roles)
	if err != nil {
		return s, err
	}
	if _, err := lockScratch(ctx, conn, schema); err != nil {
		return s, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scratchTimeout)
		defer cancel()
		err = errors.Join(err, dropScratch(ctx, conn, roles, schema))
	}()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		return makeScratch(ctx, tx, schema, opts.Roles)
	})
	if err != nil {
		return s, err
	}
	if err := r.MigrateNew(ctx, schema); err != nil {
		return s, err
	}
	return readOne(ctx, conn, schema, opts)
}

// sweepScratch drops the scratch schemas that crashed calls have left: those that no session has
// locked. It returns the role names.
func sweepScratch(ctx context.Context, conn *pgx.Conn, roles schemactx.RoleNames) (schemactx.RoleNames, error) {
	roles, err := rolesOf(ctx, conn, roles)
	if err != nil {
		return roles, err
	}
	rows, err := conn.Query(ctx, `select nspname::text from pg_namespace
		where starts_with(nspname::text, $1) and obj_description(oid, 'pg_namespace') = $2
		and nspowner = (select oid from pg_roles where rolname = current_user)`, schemalock.ScratchPrefix,
		schemalock.ScratchComment)
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
		_, unlockErr := conn.Exec(ctx, "select "+schemalock.Scratch.Release("$1"), schema)
		if err := errors.Join(err, unlockErr); err != nil {
			return roles, err
		}
	}
	return roles, nil
}

func lockScratch(ctx context.Context, conn *pgx.Conn, schema string) (free bool, err error) {
	err = conn.QueryRow(ctx, "select "+schemalock.Scratch.Try("$1"), schema).Scan(&free)
	return free, err
}

// dropScratch drops a scratch schema and its role, if they exist. It works in batches, because a
// large schema has more tables than a transaction can lock. The schema and its comment are dropped
// last, so that the next call finds them after a crash.
func dropScratch(ctx context.Context, conn *pgx.Conn, roles schemactx.RoleNames, schema string) error {
	quoted, err := schemactx.QuoteName(schema)
	if err != nil {
		return err
	}
	role, err := schemactx.QuoteName(roles.Tenant(schema))
	if err != nil {
		return err
	}
	for {
		drops, err := scratchDrops(ctx, conn, schema)
		if err != nil {
			return err
		}
		last := len(drops) == 0
		if last {
			drops = []string{"drop schema if exists " + quoted + " cascade", "drop role if exists " + role}
		}
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			_, err := tx.Exec(
				ctx,
				"set local client_min_messages = 'warning';"+strings.Join(drops, ";"),
				pgx.QueryExecModeSimpleProtocol,
			)
			return err
		})
		if err != nil || last {
			return err
		}
	}
}

// scratchBatch is how many tables are dropped in one transaction. Each takes 15 to 20 locks, and
// all sessions of a server share some 6,400.
const scratchBatch = 50

// scratchDrops returns the statements that drop the next batch of tables and views, the newest
// first, so that a CASCADE drops few others.
func scratchDrops(ctx context.Context, conn *pgx.Conn, schema string) ([]string, error) {
	rows, err := conn.Query(ctx, `select format('drop %s if exists %I.%I cascade',
			case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
				else 'table' end, n.nspname, c.relname)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f')
			and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = c.oid
				and e.deptype = 'e')
		order by c.oid desc limit $2`, schema, scratchBatch)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// closeTimeout bounds the end of a transaction or a connection after the caller's context has
// ended.
const closeTimeout = 5 * time.Second

// closeConn closes a connection that was taken out of the pool.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // the server notices the end of the connection in any case
}
