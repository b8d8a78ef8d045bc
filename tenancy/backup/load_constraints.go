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

// foreignKeysSQL reads the foreign keys of the tables $1, without those that partitions inherit,
// and whether a key has keys below it: whether it is of, or refers to, a partitioned table.
const foreignKeysSQL = `select t.relname::text, t.relkind = 'p', t.relkind = 'p' or f.relkind = 'p', c.conname::text, pg_get_constraintdef(c.oid), c.convalidated,
	quote_literal(obj_description(c.oid, 'pg_constraint')), f.relnamespace <> t.relnamespace
	from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_class f on f.oid = c.confrelid
	where c.conrelid = any($1::oid[]) and c.contype = 'f' and c.conparentid = 0 order by c.oid`

// triggersSQL reads the triggers of the tables $1 that would fire, but for those of constraints, and whether each is to be dropped and made
// again instead of being disabled: one of a partitioned table, whose clones on the partitions are in its state. Before PostgreSQL 15 the clones
// are nobody's to disable but a superuser's.
const triggersSQL = `with recursive family (root, oid, state) as (
		select g.oid, g.oid, g.tgenabled from pg_trigger g join pg_class t on t.oid = g.tgrelid
		where g.tgrelid = any($1::oid[]) and not g.tgisinternal and g.tgparentid = 0 and t.relkind = 'p' and g.tgtype & 1 = 1
		union all select f.root, k.oid, k.tgenabled from family f join pg_trigger k on k.tgrelid = any($1::oid[]) and k.tgparentid = f.oid
	),
	uniform as (select root from family group by root having count(distinct state) = 1)
	select t.relname::text, g.tgname::text, g.tgenabled::text, u.root is not null, pg_get_triggerdef(g.oid),
		quote_literal(obj_description(g.oid, 'pg_trigger'))
	from pg_trigger g join pg_class t on t.oid = g.tgrelid left join uniform u on u.root = g.oid
	where g.tgrelid = any($1::oid[]) and not g.tgisinternal and g.tgenabled <> 'D'
	and not exists (select from family f join uniform o on o.root = f.root where f.oid = g.oid and f.oid <> f.root)
	order by g.oid`

// forcedSQL reads which of the tables $1 have row security for their owner too: COPY does not load those.
const forcedSQL = `select relname::text from pg_class where oid = any($1::oid[]) and relforcerowsecurity order by oid`

var enableTrigger = map[string]string{"O": "enable trigger ", "R": "enable replica trigger ", "A": "enable always trigger "}

// strip takes from the tables what must not act on rows that were there before, and notes how to give it back.
func (l *loader) strip(ctx context.Context) error {
	var strip, shared []string
	err := l.transact(ctx, func(tx pgx.Tx) error {
		var err error
		if strip, err = l.readTriggers(ctx, tx); err != nil {
			return err
		}
		forced, err := l.readForced(ctx, tx)
		if err != nil {
			return err
		}
		keys, others, err := l.readForeignKeys(ctx, tx)
		strip, shared = append(append(strip, forced...), keys...), others
		return err
	})
	if err != nil {
		return fmt.Errorf("read triggers and foreign keys: %w", err)
	}
	if len(strip) > 0 {
		if err := l.patient(ctx, strings.Join(strip, "; ")); err != nil {
			return fmt.Errorf("disable triggers and foreign keys: %w", err)
		}
	}
	if err := l.dropChecks(ctx); err != nil {
		return fmt.Errorf("drop checks: %w", err)
	}
	for _, sql := range shared { // each alone: it locks a table that others use
		if err := l.patient(ctx, sql); err != nil {
			return fmt.Errorf("disable a foreign key: %w", err)
		}
	}
	return nil
}

// lockPause is what a statement waits between two tries for a lock, for as long as ctx lets it.
const lockPause = 200 * time.Millisecond

// patient runs a statement of this package in a transaction, with the tenant's path for the
// functions that constraints call. If it does not get a lock within two seconds, it tries again, so
// that sessions that wait behind it for a shared table get their turn.
func (l *loader) patient(ctx context.Context, sql string) error {
	for {
		err := l.transact(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "set local lock_timeout = '2s'; set local search_path = "+l.path+"; "+sql, pgx.QueryExecModeSimpleProtocol)
			return err
		})
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != lockNotAvailable && pgErr.Code != "40P01" {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(lockPause):
		}
	}
}

func (l *loader) readTriggers(ctx context.Context, tx pgx.Tx) (strip []string, err error) {
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
			strip = append(strip, "alter table only "+on+" disable trigger "+quoted)
			add("alter table only " + on + " " + enableTrigger[state] + quoted)
			return nil
		}
		strip = append(strip, "drop trigger "+quoted+" on "+on)
		add(definition)
		if state != "O" {
			add("alter table " + on + " " + enableTrigger[state] + quoted)
		}
		if comment != nil {
			add("comment on trigger " + quoted + " on " + on + " is " + *comment)
		}
		return nil
	})
	return strip, err
}

func (l *loader) readForced(ctx context.Context, tx pgx.Tx) (strip []string, err error) {
	rows, err := tx.Query(ctx, forcedSQL, l.oids)
	if err != nil {
		return nil, err
	}
	var table string
	_, err = pgx.ForEachRow(rows, []any{&table}, func() error {
		on, err := l.name(table)
		strip = append(strip, "alter table "+on+" no force row level security")
		l.deferred = append(l.deferred, deferredSQL{table, "", "alter table " + on + " force row level security"})
		return err
	})
	return strip, err
}

// readForeignKeys also returns those apart that refer to tables of other schemas.
func (l *loader) readForeignKeys(ctx context.Context, tx pgx.Tx) (strip, shared []string, err error) {
	rows, err := tx.Query(ctx, foreignKeysSQL, l.oids)
	if err != nil {
		return nil, nil, err
	}
	var table, key, definition string
	var partitioned, family, valid, foreign bool
	var comment *string
	_, err = pgx.ForEachRow(rows, []any{&table, &partitioned, &family, &key, &definition, &valid, &comment, &foreign}, func() error {
		on, quoted, err := l.quoteObject(table, key)
		if err != nil {
			return err
		}
		alter := "alter table only " + on
		if partitioned {
			alter = "alter table " + on
		}
		add := func(sql string) { l.deferred = append(l.deferred, deferredSQL{table, key, sql}) }
		// In two steps, as the second lets others write to the table referred to. It would leave
		// keys below this one NOT VALID.
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
			strip = append(strip, drop)
		}
		return nil
	})
	return strip, shared, err
}

// pair quotes a table, with its schema, and something of it.
func (l *loader) quoteObject(table, object string) (on, quoted string, err error) {
	if on, err = l.name(table); err != nil {
		return "", "", err
	}
	quoted, err = quoteOne(object)
	return on, quoted, err
}

// unstrip makes again what strip has dropped. Checks and foreign keys are validated before triggers
// are enabled.
func (l *loader) unstrip(ctx context.Context) error {
	if err := l.addChecks(ctx); err != nil {
		return err
	}
	for _, u := range l.deferred {
		err := l.patient(ctx, u.sql)
		if err != nil && ctx.Err() == nil && isRefusal(err) {
			return &RowsError{Table: u.table, Object: u.object, Err: err}
		}
		if err != nil {
			return fmt.Errorf("table %q: %q: %w", u.table, u.object, err)
		}
	}
	return nil
}
