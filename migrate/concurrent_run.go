package migrate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// runStatement runs the i-th statement of a step without a transaction.
func (s *session) runStatement(ctx context.Context, st step, i int) error {
	stmt := st.statements()[i]
	sql := stmt.sql
	if c := stmt.concurrent; c != nil {
		err := s.dropLeft(ctx, st)
		if err == nil {
			sql, err = s.prepareConcurrent(ctx, stmt.sql, c)
		}
		if err != nil {
			return s.t.failure(call{sql: stmt.sql, step: &st, i: i}, err)
		}
	}
	err := s.pg().ExecParams(ctx, sql, nil, nil, nil, nil).Read().Err
	if err != nil && stmt.concurrent != nil && !s.t.cfg.unused && sqlstate.Is(err, sqlstate.LockNotAvailable) {
		err = s.blocked(ctx, err)
	}
	if err != nil {
		return s.t.failure(call{sql: stmt.sql, step: &st, i: i}, err)
	}
	if stmt.concurrent == nil {
		return nil
	}
	if err := s.dropLeft(ctx, st); err != nil { // before a later REINDEX makes it valid
		return s.t.wrap(err)
	}
	if s.t.cfg.unused {
		return nil
	}
	return s.waitFor(ctx, s.t.cfg.ConcurrentTimeout, s.t.cfg.LockTimeout)
}

// dropLeft drops the invalid indexes that an interrupted run of the step has left and that another
// index has replaced.
func (s *session) dropLeft(ctx context.Context, st step) error {
	left, err := s.invalidIndexes(ctx)
	if err != nil {
		return err
	}
	for _, x := range left {
		if !st.leaves(x) {
			continue
		}
		if err := s.dropIndex(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// prepareConcurrent drops the invalid index that an earlier run of the statement has left, sets how
// long the statement may wait, and returns the statement to send.
func (s *session) prepareConcurrent(ctx context.Context, sql string, c *concurrent) (string, error) {
	if !s.t.cfg.unused {
		if err := s.waitFor(ctx, s.t.cfg.LockTimeout, s.t.cfg.ConcurrentTimeout); err != nil {
			return "", err
		}
	}
	if c.index != "" {
		left, err := s.invalidIndexes(ctx)
		if err != nil {
			return "", err
		}
		for _, x := range left {
			if x.name != c.index || x.table != c.table {
				continue
			}
			if err := s.dropIndex(ctx, x); err != nil {
				return "", err
			}
		}
	}
	if c.partition != "" {
		var pending bool
		err := s.conn().
			QueryRow(ctx, "select exists (select from pg_inherits where inhrelid = to_regclass($1) and inhdetachpending)",
				pgx.QueryExecModeExec, c.partition).
			Scan(&pending)
		if err != nil {
			return "", err
		}
		if pending {
			return c.finalize, nil
		}
	}
	if !s.t.cfg.unused {
		return sql, nil
	}
	refused, err := s.partitioned(ctx, c.table, c.drops)
	if err != nil || refused {
		return sql, err
	}
	return c.plain, nil
}

// partitioned reports whether one of the names is that of a partitioned table or of an index of
// one. PostgreSQL refuses to create or drop such an index concurrently. Without CONCURRENTLY the
// statement would work for new schemas and fail for all schemas in use.
func (s *session) partitioned(ctx context.Context, names ...string) (yes bool, err error) {
	err = s.conn().QueryRow(ctx, `select exists (select from pg_class where relname = any ($2) and relkind in ('p', 'I')
		and relnamespace = (select oid from pg_namespace where nspname = $1))`,
		pgx.QueryExecModeExec, s.t.schema, names).Scan(&yes)
	return yes, err
}

// waitFor changes the session's lock timeout, unless the migration has set another value.
func (s *session) waitFor(ctx context.Context, from, to time.Duration) error {
	return s.exec(ctx, call{
		sql: "select set_config('lock_timeout', $2, false) from pg_settings where name = 'lock_timeout' and setting = $1",
		args: []string{
			milliseconds(from), milliseconds(to),
		},
	})
}

// invalidIndex is an index that was not built completely. Queries do not use it, but writes
// maintain it.
type invalidIndex struct {
	name, table string
	twin        bool // the table has a valid index that differs in its name only
}

// invalidQuery lists the invalid indexes of a schema. It leaves out the indexes of partitioned
// tables, which are invalid on purpose until all partitions have theirs.
const invalidQuery = `select c.relname::text, t.relname::text, exists (
		select from pg_index y join pg_class d on d.oid = y.indexrelid
		where y.indrelid = x.indrelid and y.indisvalid and d.relam = c.relam and y.indkey = x.indkey
		and y.indclass = x.indclass
			and y.indcollation = x.indcollation and y.indoption = x.indoption and y.indisunique = x.indisunique
			and coalesce(pg_get_expr(y.indexprs, y.indrelid), '') = coalesce(pg_get_expr(x.indexprs, x.indrelid), '')
			and coalesce(pg_get_expr(y.indpred, y.indrelid), '') = coalesce(pg_get_expr(x.indpred, x.indrelid), ''))
	from pg_index x join pg_class c on c.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
	where c.relnamespace = (select oid from pg_namespace where nspname = $1) and c.relkind = 'i' and not x.indisvalid
	order by 1`

func (s *session) invalidIndexes(ctx context.Context) ([]invalidIndex, error) {
	rows, err := s.conn().Query(ctx, invalidQuery, pgx.QueryExecModeExec, s.t.schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (x invalidIndex, err error) {
		return x, row.Scan(&x.name, &x.table, &x.twin)
	})
}

func (s *session) dropIndex(ctx context.Context, x invalidIndex) error {
	sql := "drop index concurrently "
	if s.t.cfg.unused {
		sql = "drop index "
	}
	err := s.exec(ctx, call{sql: sql + pgx.Identifier{s.t.schema, x.name}.Sanitize()})
	if err != nil && !s.t.cfg.unused && sqlstate.Is(err, sqlstate.LockNotAvailable) {
		err = s.blocked(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("drop index %q, which an earlier run has left half made: %w", x.name, err)
	}
	return nil
}

// reindexed matches the names that REINDEX CONCURRENTLY gives to indexes while it builds them.
var reindexed = regexp.MustCompile(`_cc(new|old)\d*$`)

// checkIndexes returns an error for an invalid index after a step without a transaction, unless the
// index was invalid before and the step does not create it. A Go migration may create any index, so
// after one every invalid index is an error.
func (s *session) checkIndexes(ctx context.Context, st step, before []invalidIndex) error {
	now, err := s.invalidIndexes(ctx)
	if err != nil {
		return s.t.wrap(err)
	}
	for _, x := range now {
		if st.isGo() || st.makes(x) || !slices.ContainsFunc(before, func(b invalidIndex) bool { return b.name == x.name }) {
			return s.t.failure(call{step: &st}, &InvalidIndexError{Schema: s.t.schema, Table: x.table, Index: x.name})
		}
	}
	return nil
}

// leaves reports whether an interrupted run of the step has left the invalid index and another
// index has replaced it.
func (st step) leaves(x invalidIndex) bool {
	return slices.ContainsFunc(st.statements(), func(stmt statement) bool {
		c := stmt.concurrent
		return c != nil &&
			(c.creates && c.index == "" && c.table == x.table && x.twin || c.reindexes && reindexed.MatchString(x.name))
	})
}

// makes reports whether the step creates an index of that name.
func (st step) makes(x invalidIndex) bool {
	return slices.ContainsFunc(st.statements(), func(stmt statement) bool {
		return stmt.concurrent != nil && stmt.concurrent.index == x.name
	})
}

// blockersQuery lists the sessions for which a statement with CONCURRENTLY waits. They are those of
// the database that were in a transaction before the wait began and that have a snapshot or have
// written. A login without pg_read_all_stats sees only the process and the user of other users'
// sessions.
const blockersQuery = `select a.pid, coalesce(a.application_name, ''), coalesce(a.usename, '')::text,
	coalesce(a.state, ''),
		coalesce(extract(epoch from clock_timestamp() - a.xact_start), 0)::float8
	from pg_stat_activity a
	where a.datname = current_database() and a.pid <> pg_backend_pid()
	and coalesce(a.backend_type, '') not like 'autovacuum%'
		and a.pid in (select pid from pg_locks where locktype = 'virtualxid' and granted)
		and (a.xact_start is null or a.xact_start < clock_timestamp() - $1::float8 * interval '1 second')
		and (a.xact_start is null or a.backend_xmin is not null or a.backend_xid is not null)
	order by a.xact_start`

// blocked returns the error for a wait that took too long, with the sessions that it waited for.
func (s *session) blocked(ctx context.Context, err error) error {
	blocked := &BlockedError{Timeout: s.t.cfg.ConcurrentTimeout, Err: err}
	rows, queryErr := s.conn().Query(ctx, blockersQuery, pgx.QueryExecModeExec, blocked.Timeout.Seconds())
	if queryErr != nil {
		return errors.Join(blocked, queryErr)
	}
	blocked.Blockers, queryErr = pgx.CollectRows(rows, func(row pgx.CollectableRow) (b Blocker, err error) {
		var age float64
		err = row.Scan(&b.PID, &b.Application, &b.User, &b.State, &age)
		b.Age = time.Duration(age * float64(time.Second))
		return b, err
	})
	if queryErr != nil {
		return errors.Join(blocked, queryErr)
	}
	return blocked
}
