package migrate

import (
	"cmp"
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
	s.roster.expect(len(all.bySchema))
	x.mu.Lock()
	defer x.mu.Unlock()
	all.asked, all.round = true, x.answers.round
	x.answers = all
}

// answersOf returns the answers, and how many changes the watch has noted.
func (x *index) answersOf(ctx context.Context, conn *pgxpool.Conn, s *survey) (answers, int, error) {
	result := conn.Conn().PgConn().ExecParams(ctx, answerSQL, [][]byte{[]byte(x.r.cfg.Table)}, nil, nil, []int16{1}).Read()
	if result.Err != nil || len(result.Rows) != 1 {
		return answers{}, 0, cmp.Or(result.Err, errIndexUnsound)
	}
	row := result.Rows[0]
	schemas, tables, others, changed := string(row[0]), arrayOf(row[1]), arrayOf(row[3]), arrayOf(row[5])
	all := answers{bySchema: make(map[string]answer, len(tables)), tables: int(binary.BigEndian.Uint64(row[6]))} //nolint:gosec // a count
	if len(tables) == 0 {
		return all, 0, nil
	}
	lines := []lineID{lineID(row[2])}
	for _, id := range arrayOf(row[4]) {
		lines = append(lines, lineID(id))
	}
	if err := x.load(ctx, conn, s, lines); err != nil {
		return answers{}, 0, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	special := make(map[uint32]*lineage, len(others)+len(changed)) // nil: not known
	for i, table := range others {
		special[binary.BigEndian.Uint32(table)] = x.lines[lines[i+1]]
	}
	for _, table := range changed {
		special[binary.BigEndian.Uint32(table)] = nil
	}
	for _, oid := range tables {
		table := binary.BigEndian.Uint32(oid)
		line := x.lines[lines[0]]
		if other, ok := special[table]; ok {
			line = other
		}
		var schema string
		if schema, schemas, _ = strings.Cut(schemas, ","); line != nil {
			all.bySchema[schema] = answer{table, line}
		}
	}
	return all, int(binary.BigEndian.Uint64(row[7])), nil //nolint:gosec // a count
}

// arrayOf returns the elements of an array in the binary format that has one dimension and no nulls.
func arrayOf(b []byte) [][]byte {
	const head, size = 20, 4
	if len(b) < head {
		return nil // it is empty
	}
	elements := make([][]byte, 0, binary.BigEndian.Uint32(b[12:]))
	for b = b[head:]; len(b) > size; {
		end := size + binary.BigEndian.Uint32(b)
		elements = append(elements, b[size:end])
		b = b[end:]
	}
	return elements
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
		m.err = m.verdict(x.r)
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
