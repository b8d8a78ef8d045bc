package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Index says whether there is a central index of the versions of all schemas.
type Index uint8

const (
	// NoIndex reads each version table.
	NoIndex Index = iota

	// CentralIndex keeps what the version tables of all schemas say in one table, in the schema [IndexSchema], so that
	// [Runner.UpAll] and [Runner.Fleet] read only those that have changed since the last time. It costs each change of
	// a version table a trigger. Where [Config.Changed] is [Refuse] it is not asked: it knows no checksums.
	//
	// An entry is believed only if nothing can have happened to its version table unseen. A trigger on the table takes
	// the entry back in the transaction that changes a row, whoever changes it and however: it fires always, in a
	// replica too. What a trigger does not see leaves its mark in the catalog, and an entry names the very
	// row versions (place and transaction) that the catalog had before the versions were read: of the schema's
	// name, of the table, of each of its columns, of the trigger and of the trigger's function. So a schema or table that
	// was renamed, dropped, made anew or restored, a table that was truncated or rewritten, columns that were renamed, and a trigger that
	// was disabled or dropped and made again, or whose function was replaced and put back, are not believed. Nor is an
	// entry that was itself edited or restored: it names the transaction that wrote it, which is not the one
	// that has. A copy of the whole database (CREATE DATABASE ... TEMPLATE, a base backup) takes the
	// version tables along as they were, and is believed, rightly.
	//
	// What is not believed is read from the version table, as without an index, and its entry is made again. A migration
	// checks the version table itself under its lock in any case. The remaining assumption is that nobody forges
	// entries on purpose: a superuser can, by editing catalogs or the entry together with the transaction it names, and
	// so can the owner, the only other role that has rights on the index. Nor may the function be replaced while others write.
	CentralIndex
)

// IndexSchema is the schema of the central index. Nobody but its owner has rights on it.
const IndexSchema = "pgtenant_index"

// MakeIndex makes the central index, or repairs it. The login of the pool will own it and needs CREATE on the
// database. UpAll and Fleet call it where [Config.Index] asks for it, so that a program only has to where schemas are
// restored from dumps into a new database: a dump of a schema has the trigger, which needs the index. The
// triggers come with the first run. It can be run again, also by several at once. Entries of tables that are gone are removed.
func (r *Runner) MakeIndex(ctx context.Context) error {
	conn, err := r.pool.Acquire(ctx)
	if err == nil {
		defer conn.Release()
		err = makeIndex(ctx, conn)
	}
	if err != nil {
		return fmt.Errorf("make index of versions: %w", err)
	}
	return nil
}

func makeIndex(ctx context.Context, conn schemactx.Beginner) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, makeIndexSQL, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		var same bool
		err := tx.QueryRow(ctx, "select exists (select from pg_proc p where "+indexFunctionIs+")", pgx.QueryExecModeExec).Scan(&same)
		if err != nil {
			return err
		}
		if !same { // else all entries would lose their proof
			if _, err := tx.Exec(ctx, makeIndexFunctionSQL, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, indexGrantsSQL, pgx.QueryExecModeExec)
		if err != nil {
			return err
		}
		revokes, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(revokes) == 0 {
			return err
		}
		revokes = append(revokes, "update pgtenant_index.versions set line = null where line is not null") // others could write to it
		_, err = tx.Exec(ctx, strings.Join(revokes, ";"), pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// dropIndexAtOnce is from how many tables the trigger is dropped at a time: each is locked until the commit.
const dropIndexAtOnce = 100

// DropIndex removes the central index and its triggers, a hundred tables at a time. No runner that uses it may be at work
// meanwhile. It can be run again.
func (r *Runner) DropIndex(ctx context.Context) error {
	for {
		drops, err := r.indexDrops(ctx)
		if err == nil {
			last := len(drops) == 0
			if last {
				drops = []string{"set local client_min_messages = warning", "drop schema if exists " + IndexSchema + " cascade"}
			}
			_, err = r.pool.Exec(ctx, strings.Join(drops, ";"), pgx.QueryExecModeSimpleProtocol)
			if err == nil && last {
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("drop index of versions: %w", err)
		}
	}
}

// indexDrops returns statements that drop some of the triggers.
func (r *Runner) indexDrops(ctx context.Context) ([]string, error) {
	rows, err := r.pool.Query(ctx, `select format('drop trigger if exists %I on %s', t.tgname, t.tgrelid::regclass)
		from pg_depend d join pg_trigger t on t.oid = d.objid
		where d.refclassid = 'pg_proc'::regclass and d.refobjid = to_regprocedure($1) and d.classid = 'pg_trigger'::regclass limit $2`,
		pgx.QueryExecModeExec, indexFunction, dropIndexAtOnce)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
