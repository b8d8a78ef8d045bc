package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// foreignKeysSQL reads the foreign keys of the tables $1, without those that partitions inherit. It
// also reads whether a key has child keys, because its table or the referenced table is
// partitioned.
const foreignKeysSQL = `select t.relname::text, t.relkind = 'p', t.relkind = 'p' or f.relkind = 'p',
	c.conname::text, pg_get_constraintdef(c.oid), c.convalidated,
	quote_literal(obj_description(c.oid, 'pg_constraint')), f.relnamespace <> t.relnamespace
	from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_class f on f.oid = c.confrelid
	where c.conrelid = any($1::oid[]) and c.contype = 'f' and c.conparentid = 0 order by c.oid`

// triggersSQL reads the enabled triggers of the tables $1, except those of constraints. It also
// reads whether a trigger has to be dropped and created again instead of being disabled. That is so
// for a trigger of a partitioned table whose clones on the partitions have the same state. Before
// PostgreSQL 15 only a superuser can disable the clones.
const triggersSQL = `with recursive family (root, oid, state) as (
		select g.oid, g.oid, g.tgenabled from pg_trigger g join pg_class t on t.oid = g.tgrelid
		where g.tgrelid = any($1::oid[]) and not g.tgisinternal and g.tgparentid = 0 and t.relkind = 'p' and g.tgtype & 1 = 1
		union all select f.root, k.oid, k.tgenabled from family f
			join pg_trigger k on k.tgrelid = any($1::oid[]) and k.tgparentid = f.oid
	),
	uniform as (select root from family group by root having count(distinct state) = 1)
	select t.relname::text, g.tgname::text, g.tgenabled::text, u.root is not null, pg_get_triggerdef(g.oid),
		quote_literal(obj_description(g.oid, 'pg_trigger'))
	from pg_trigger g join pg_class t on t.oid = g.tgrelid left join uniform u on u.root = g.oid
	where g.tgrelid = any($1::oid[]) and not g.tgisinternal and g.tgenabled <> 'D'
	and not exists (select from family f join uniform o on o.root = f.root where f.oid = g.oid and f.oid <> f.root)
	order by g.oid`

// forcedSQL reads which of the tables $1 force row security on their owner: COPY FROM fails on
// them.
const forcedSQL = `select relname::text from pg_class where oid = any($1::oid[]) and relforcerowsecurity order by oid`

var enableTrigger = map[string]string{
	"O": "enable trigger ", "R": "enable replica trigger ", "A": "enable always trigger ",
}

// disableConstraints disables triggers and forced row security and drops foreign keys and some
// checks, so that they do not act on loaded rows. It records the statements that restore them.
func (l *loader) disableConstraints(ctx context.Context) error {
	var disable, shared []string
	err := l.transact(ctx, func(tx pgx.Tx) error {
		var err error
		if disable, err = l.readTriggers(ctx, tx); err != nil {
			return err
		}
		forced, err := l.readForced(ctx, tx)
		if err != nil {
			return err
		}
		keys, others, err := l.readForeignKeys(ctx, tx)
		disable, shared = append(append(disable, forced...), keys...), others
		return err
	})
	if err != nil {
		return fmt.Errorf("read triggers and foreign keys: %w", err)
	}
	if len(disable) > 0 {
		if err := l.execWithRetry(ctx, strings.Join(disable, "; ")); err != nil {
			return fmt.Errorf("disable triggers and foreign keys: %w", err)
		}
	}
	if err := l.dropChecks(ctx); err != nil {
		return fmt.Errorf("drop checks: %w", err)
	}
	for _, sql := range shared { // one by one, because each locks a table that all tenants use
		if err := l.execWithRetry(ctx, sql); err != nil {
			return fmt.Errorf("disable a foreign key: %w", err)
		}
	}
	return nil
}

// lockPause is the pause between two attempts to acquire a lock. Attempts are repeated until ctx
// ends.
const lockPause = 200 * time.Millisecond

// execWithRetry runs a statement in a transaction, with the tenant's search path for functions that
// constraints call. If it does not acquire a lock within two seconds or is chosen as the victim of
// a deadlock, it tries again. Sessions that wait behind it for a shared table can proceed in
// between.
func (l *loader) execWithRetry(ctx context.Context, sql string) error {
	for {
		err := l.transact(ctx, func(tx pgx.Tx) error {
			settings := "set local lock_timeout = '2s'; set local search_path = " + l.path + "; "
			_, err := tx.Exec(ctx, settings+sql, pgx.QueryExecModeSimpleProtocol)
			return err
		})
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != lockNotAvailable && pgErr.Code != deadlockDetected {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(lockPause):
		}
	}
}

func (l *loader) readTriggers(ctx context.Context, tx pgx.Tx) (disable []string, err error) {
	rows, err := tx.Query(ctx, triggersSQL, l.oids)
	if err != nil {
		return nil, err
	}
	var table, trigger, state, definition string
	var again bool
	var comment *string
	_, err = pgx.ForEachRow(rows, []any{&table, &trigger, &state, &again, &definition, &comment}, func() error {
		on, quoted, err := l.quoteObject(table, trigger)
		if err != nil {
			return err
		}
		add := func(sql string) { l.deferred = append(l.deferred, deferredSQL{table, trigger, sql}) }
		if !again {
			disable = append(disable, "alter table only "+on+" disable trigger "+quoted)
			add("alter table only " + on + " " + enableTrigger[state] + quoted)
			return nil
		}
		disable = append(disable, "drop trigger "+quoted+" on "+on)
		add(definition)
		if state != "O" {
			add("alter table " + on + " " + enableTrigger[state] + quoted)
		}
		if comment != nil {
			add("comment on trigger " + quoted + " on " + on + " is " + *comment)
		}
		return nil
	})
	return disable, err
}

func (l *loader) readForced(ctx context.Context, tx pgx.Tx) (disable []string, err error) {
	rows, err := tx.Query(ctx, forcedSQL, l.oids)
	if err != nil {
		return nil, err
	}
	var table string
	_, err = pgx.ForEachRow(rows, []any{&table}, func() error {
		on, err := l.name(table)
		disable = append(disable, "alter table "+on+" no force row level security")
		l.deferred = append(l.deferred, deferredSQL{table, "", "alter table " + on + " force row level security"})
		return err
	})
	return disable, err
}

// readForeignKeys returns separately the foreign keys that reference tables of other schemas.
func (l *loader) readForeignKeys(ctx context.Context, tx pgx.Tx) (disable, shared []string, err error) {
	rows, err := tx.Query(ctx, foreignKeysSQL, l.oids)
	if err != nil {
		return nil, nil, err
	}
	var table, key, definition string
	var partitioned, family, valid, foreign bool
	var comment *string
	columns := []any{&table, &partitioned, &family, &key, &definition, &valid, &comment, &foreign}
	_, err = pgx.ForEachRow(rows, columns, func() error {
		on, quoted, err := l.quoteObject(table, key)
		if err != nil {
			return err
		}
		alter := "alter table only " + on
		if partitioned {
			alter = "alter table " + on
		}
		add := func(sql string) { l.deferred = append(l.deferred, deferredSQL{table, key, sql}) }
		// In two steps, because the second one does not block writes to the referenced table. Not for
		// a key with child keys, which would be left NOT VALID.
		if valid && !family {
			add(alter + " add constraint " + quoted + " " + definition + " not valid")
			add(alter + " validate constraint " + quoted)
		} else {
			add(alter + " add constraint " + quoted + " " + definition)
		}
		if comment != nil {
			add("comment on constraint " + quoted + " on " + on + " is " + *comment)
		}
		drop := alter + " drop constraint " + quoted
		if foreign {
			shared = append(shared, drop)
		} else {
			disable = append(disable, drop)
		}
		return nil
	})
	return disable, shared, err
}

// quoteObject quotes a table, qualified by its schema, and the name of one of its objects.
func (l *loader) quoteObject(table, object string) (on, quoted string, err error) {
	if on, err = l.name(table); err != nil {
		return "", "", err
	}
	quoted, err = quoteOne(object)
	return on, quoted, err
}

// restoreConstraints recreates and enables what disableConstraints has dropped or disabled. It
// validates checks and foreign keys before it enables triggers.
func (l *loader) restoreConstraints(ctx context.Context) error {
	if err := l.addChecks(ctx); err != nil {
		return err
	}
	for _, u := range l.deferred {
		err := l.execWithRetry(ctx, u.sql)
		if err != nil && ctx.Err() == nil && isRefusal(err) {
			return &RowsError{Table: u.table, Object: u.object, Err: err}
		}
		if err != nil {
			return fmt.Errorf("table %q: %q: %w", u.table, u.object, err)
		}
	}
	return nil
}
