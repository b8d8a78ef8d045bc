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

	// WatchedIndex is CentralIndex that does not look at the catalog for each entry, and answers for ten thousand schemas in a few
	// milliseconds. The login of the pool has to be a superuser: it makes two event triggers in the database, which note, in the
	// transaction that does it, what is done to version tables, their triggers and their schemas: altered, renamed, moved, attached,
	// dropped. They fire always, in a replica too. A second trigger on each version table sees it truncated. Where event triggers cannot be
	// made it is CentralIndex, with a warning.
	//
	// An entry is then believed if nothing was noted since it was proven, its content was not changed since, and the watch has not
	// been interrupted: the event triggers, their functions, the trigger's function and the table of notes are the very row versions in the
	// catalog that they were, and the server was not stopped and its configuration not read again. Entries count from when all that was
	// under way as the watch began has ended, prepared transactions too. What is not believed, and after an interruption all,
	// is proven anew, as with CentralIndex; until then that is what answers.
	//
	// It trusts, beyond what CentralIndex does, that no superuser switches event triggers off for a session of his own (SET
	// event_triggers, from PostgreSQL 17; in a file or for a role it is noticed while it stands) and then renames, restores or alters
	// version tables or schemas in it. Who does calls [Runner.MakeIndex] afterwards, which begins a new watch. ALTER and DROP cost 0.1
	// to 0.3 ms more, and a sixth more for a schema that is dropped; CREATE TABLE and CREATE INDEX cost nothing. A run has the answers
	// in memory as long as it compares them with the list, some 100 bytes for each schema.
	WatchedIndex
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
		if err = makeIndex(ctx, conn); err == nil && r.cfg.Index == WatchedIndex {
			err = makeWatch(ctx, conn)
		}
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
		// others could write to it
		revokes = append(revokes, "update pgtenant_index.versions set line = null where line is not null", "delete from pgtenant_index.watch")
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
				drops = []string{
					"set local client_min_messages = warning", "drop event trigger if exists " + watchAlterTrigger,
					"drop event trigger if exists " + watchDropTrigger, "drop schema if exists " + IndexSchema + " cascade",
				}
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
