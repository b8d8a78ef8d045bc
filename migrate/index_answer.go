package migrate

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tidyFrom is from how many notes of the watch on they are tidied up: an answer compares each with each entry.
const tidyFrom = 50

// answer is what the index says of one schema.
type answer struct {
	table uint32
	line  *lineage
}

// answers are what a watched index says of all schemas, as of one moment.
type answers struct {
	asked    bool
	bySchema map[string]answer
	tables   int // how many version tables there are; -1: not known
	round    int // how often the list was gone over
}

// begin lets the index be asked again: the list is gone over once more.
func (x *index) begin() {
	if x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.answers = answers{tables: -1, round: x.answers.round + 1}
	}
}

// end lets go of the answers.
func (x *index) end() {
	if x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.answers.bySchema = nil
	}
}

// ask asks a watched index for all that it can answer, once for each time that the list is gone over.
func (x *index) ask(ctx context.Context, s *survey) {
	if x == nil || x.r.cfg.Index != WatchedIndex {
		return
	}
	x.asking.Lock()
	defer x.asking.Unlock()
	x.mu.Lock()
	asked := x.answers.asked || x.off
	x.answers.asked = true
	x.mu.Unlock()
	if asked {
		return
	}
	conn, err := x.r.pool.Acquire(ctx)
	if err != nil {
		return // whoever reads next tells
	}
	defer conn.Release()
	all, changes, err := x.answersOf(ctx, conn, s)
	if err != nil {
		return // it is not there yet, or in trouble, and is made then
	}
	if changes >= tidyFrom {
		if err := tidy(ctx, conn); err != nil {
			x.trouble(ctx, err)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	all.asked, all.round = true, x.answers.round
	x.answers = all
}

// answersOf returns the answers, and how many changes the watch has noted.
func (x *index) answersOf(ctx context.Context, conn *pgxpool.Conn, s *survey) (all answers, changes int, err error) {
	all.bySchema, all.tables = make(map[string]answer), -1
	result := conn.Conn().PgConn().ExecParams(ctx, answerSQL, [][]byte{[]byte(x.r.cfg.Table)}, nil, nil, []int16{1})
	for result.NextRow() {
		row := result.Values()
		versions, bad := readLine(string(row[1]))
		if bad != nil || lineIDOf(string(row[1])) != lineID(row[0]) {
			continue // what does not have the name of its content is not there
		}
		line := s.lines.of(versions)
		schemas, tables := string(row[2]), oidsOf(row[3])
		for _, table := range tables {
			var schema string
			schema, schemas, _ = strings.Cut(schemas, ",")
			all.bySchema[schema] = answer{table, line}
		}
		all.tables, changes = int(binary.BigEndian.Uint64(row[4])), int(binary.BigEndian.Uint64(row[5])) //nolint:gosec // counts
	}
	_, err = result.Close()
	return all, changes, err
}

// oidsOf returns the elements of an array in the binary format that has one dimension and no nulls.
func oidsOf(b []byte) []uint32 {
	const head, element = 20, 8
	if len(b) < head {
		return nil
	}
	var oids []uint32
	for b = b[head:]; len(b) >= element; b = b[element:] {
		oids = append(oids, binary.BigEndian.Uint32(b[element-4:]))
	}
	return oids
}

// tell enters where schemas stand that the watched index answers for, and reports whether those are all.
func (x *index) tell(members []member) bool {
	if x == nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	all := true
	for i := range members {
		m := &members[i]
		found, ok := x.answers.bySchema[m.schema]
		if !ok || m.err != nil {
			all = all && m.err != nil
			continue
		}
		m.table, m.line, m.sure = found.table, found.line, true
		m.err = m.verdict(m.target(x.r))
	}
	return all
}

// strayless reports whether the index knows that there are no version tables but so many as were met, nothing having been done since.
func (x *index) strayless(met int) bool {
	if x == nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.answers.round == 1 && x.answers.tables == met
}

// tidy forgets what the watch has noted, when no entry that it concerns is believed any more.
func tidy(ctx context.Context, conn *pgxpool.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var free bool
		if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock("+tidyLock+")", pgx.QueryExecModeExec).Scan(&free); err != nil || !free {
			return err
		}
		_, err := tx.Exec(ctx, takeBackSQL, pgx.QueryExecModeExec)
		if err == nil {
			_, err = tx.Exec(ctx, forgetSQL, pgx.QueryExecModeExec)
		}
		return err
	})
}
