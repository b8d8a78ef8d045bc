package migrate

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// coverAtOnce is how many version tables get their trigger in one transaction.
const coverAtOnce = 20

// entry is an entry of the index, as it was before the version table was read.
type entry struct {
	table       uint32
	place, made string // its row version
}

// prove writes down what the catalog has for version tables that are about to be read, and gives them the trigger where they
// have none. It returns the entries that may be filled in afterwards.
func (x *index) prove(ctx context.Context, conn *pgxpool.Conn, s *survey, members []member) map[uint32]entry {
	if !x.usable(ctx, conn) {
		return nil
	}
	byTable := make(map[uint32]*member)
	for i := range members {
		if m := &members[i]; m.err == nil && m.table != 0 && !s.roster.has(m.schema, m.table) {
			byTable[m.table] = m
		}
	}
	if len(byTable) == 0 {
		return nil
	}
	var tables []uint32
	for table := range byTable {
		tables = append(tables, table)
	}
	if err := x.cover(ctx, conn, tables, byTable); err != nil {
		x.trouble(ctx, err)
		return nil
	}
	entries := make(map[uint32]entry, len(tables))
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock_shared("+tidyLock+")", pgx.QueryExecModeExec); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, proveSQL, pgx.QueryExecModeExec, oidArray(tables))
		if err != nil {
			return err
		}
		var e entry
		_, err = pgx.ForEachRow(rows, []any{&e.table, &e.place, &e.made}, func() error {
			entries[e.table] = e
			return nil
		})
		return err
	})
	if err != nil {
		x.trouble(ctx, err)
		return nil
	}
	return entries
}

// cover makes entries, and the trigger on version tables that do not have it. Where a lock is not to be had, or the table is
// another role's, the table stays without.
func (x *index) cover(ctx context.Context, conn *pgxpool.Conn, tables []uint32, byTable map[uint32]*member) error {
	enter := "set local lock_timeout = " + milliseconds(surveyLockTimeout) + ";" + fmt.Sprintf(enterSQL, oidArray(tables))
	if _, err := conn.Exec(ctx, enter, pgx.QueryExecModeSimpleProtocol); err != nil && !retryable(err) {
		return err
	}
	rows, err := conn.Query(ctx, uncoveredSQL, pgx.QueryExecModeExec, oidArray(tables), x.watching())
	if err != nil {
		return err
	}
	without, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	if err != nil {
		return err
	}
	for len(without) > 0 {
		n := min(coverAtOnce, len(without))
		if x.makeTriggers(ctx, conn, without[:n], byTable) != nil {
			for i := range n {
				if err := x.coverOne(ctx, conn, without[i], byTable); err != nil {
					return err
				}
			}
		}
		without = without[n:]
	}
	return nil
}

// coverOne returns the error of the connection only.
func (x *index) coverOne(ctx context.Context, conn *pgxpool.Conn, table uint32, byTable map[uint32]*member) error {
	err := x.makeTriggers(ctx, conn, []uint32{table}, byTable)
	switch {
	case err == nil, retryable(err):
		return nil
	case conn.Conn().IsClosed() || ctx.Err() != nil:
		return err
	}
	x.r.cfg.Logger.WarnContext(ctx, "version table is not in the index", slog.String("schema", byTable[table].schema), slog.Any("error", err))
	return nil
}

// makeTriggers makes triggers in one transaction.
func (x *index) makeTriggers(ctx context.Context, conn *pgxpool.Conn, tables []uint32, byTable map[uint32]*member) error {
	var sql strings.Builder
	sql.WriteString("set local lock_timeout = " + milliseconds(surveyLockTimeout) + "; set local synchronous_commit = off")
	for _, table := range tables {
		name := byTable[table].target(x.r).table
		sql.WriteString("; create or replace trigger " + indexTrigger + " after insert or update or delete on " + name +
			" for each row execute function " + indexFunction + "; alter table " + name + " enable always trigger " + indexTrigger)
		if x.watching() {
			sql.WriteString("; create or replace trigger " + indexTruncateTrigger + " after truncate on " + name +
				" execute function " + indexFunction + "; alter table " + name + " enable always trigger " + indexTruncateTrigger)
		}
	}
	_, err := conn.Exec(ctx, sql.String(), pgx.QueryExecModeSimpleProtocol)
	return err
}

// fill enters what version tables said in the entries that nobody has changed meanwhile.
func (x *index) fill(ctx context.Context, conn *pgxpool.Conn, members []member, entries map[uint32]entry) {
	if len(entries) == 0 {
		return
	}
	var tables []uint32
	var places, made, lines, texts []string
	met := make(map[string]string)
	for _, m := range members {
		e, ok := entries[m.table]
		if !ok || m.known || m.line == nil || m.line.rows == "" {
			continue
		}
		if _, ok := met[m.line.rows]; !ok {
			met[m.line.rows] = lineIDOf(m.line.rows).String()
			texts = append(texts, m.line.rows)
		}
		tables, places, made = append(tables, e.table), append(places, e.place), append(made, e.made)
		lines = append(lines, met[m.line.rows])
	}
	if len(tables) == 0 {
		return
	}
	for _, text := range texts {
		if _, err := conn.Exec(ctx, lineSQL, pgx.QueryExecModeExec, met[text], text); err != nil {
			x.trouble(ctx, err)
			return
		}
	}
	if _, err := conn.Exec(ctx, fillSQL, pgx.QueryExecModeExec, oidArray(tables), places, made, lines); err != nil {
		x.trouble(ctx, err)
	}
}

// oidArray returns an array's text.
func oidArray(oids []uint32) string {
	var b strings.Builder
	for i, oid := range oids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(oid), 10))
	}
	return "{" + b.String() + "}"
}
