package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// indexChunk is how many schemas are looked up in the index at a time.
const indexChunk = 2500

// lineID names what a version table says: the first half of its SHA-256, so that a name cannot come to stand for
// something else.
type lineID [16]byte

// String returns the name as a UUID.
func (id lineID) String() string { return hex.EncodeToString(id[:]) }

func lineIDOf(rows string) lineID {
	sum := sha256.Sum256([]byte(rows))
	return lineID(sum[:16])
}

// index is the central index as one survey uses it. It never fails a survey: without it the version tables are read.
type index struct {
	r *Runner

	mu    sync.Mutex
	ready bool // it was looked at, or made
	off   bool // something was wrong with it, and it is left alone
	lines map[lineID]*lineage

	watch   string     // the watch that is ripe; empty: none
	making  sync.Mutex // held while it is looked at
	asking  sync.Mutex
	answers answers
}

// index returns the index if there is to be one, or nil.
func (r *Runner) index() *index {
	if r.cfg.Index == NoIndex || r.cfg.Changed == Refuse {
		return nil
	}
	return &index{r: r, lines: make(map[lineID]*lineage)}
}

// trouble leaves the index alone for the rest of the survey.
func (x *index) trouble(ctx context.Context, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.off && ctx.Err() == nil {
		x.r.cfg.Logger.WarnContext(ctx, "index of versions is not used", slog.Any("error", err))
	}
	x.off = true
}

// usable reports whether the index is to be used, and makes it where it is not sound.
func (x *index) usable(ctx context.Context, conn *pgxpool.Conn) bool {
	if x == nil {
		return false
	}
	x.making.Lock()
	defer x.making.Unlock()
	x.mu.Lock()
	ready, off := x.ready, x.off
	x.mu.Unlock()
	if off || ready {
		return !off
	}
	if err := x.makeSound(ctx, conn); err != nil {
		x.trouble(ctx, err)
		return false
	}
	watch := x.ripeWatch(ctx, conn)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ready, x.watch = true, watch
	return !x.off
}

// makeSound makes the index where it is not sound.
func (x *index) makeSound(ctx context.Context, conn *pgxpool.Conn) error {
	sound, err := x.sound(ctx, conn)
	if err == nil && !sound {
		if err = makeIndex(ctx, conn); err == nil {
			sound, err = x.sound(ctx, conn)
		}
	}
	if err == nil && !sound {
		err = errIndexUnsound
	}
	return err
}

var errIndexUnsound = errors.New("it belongs to another role, or was changed by hand")

func (x *index) sound(ctx context.Context, conn *pgxpool.Conn) (sound bool, err error) {
	err = conn.QueryRow(ctx, indexSoundSQL, pgx.QueryExecModeExec).Scan(&sound)
	return sound, err
}

// believe enters where schemas stand that the index can answer for.
func (x *index) believe(ctx context.Context, conn *pgxpool.Conn, s *survey, members []member) {
	if !x.usable(ctx, conn) {
		return
	}
	var names strings.Builder
	names.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			names.WriteByte(',')
		}
		names.WriteByte('"')
		if m.err == nil && !m.sure { // it is a name then, and has nothing to escape
			names.WriteString(m.schema)
		}
		names.WriteByte('"')
	}
	names.WriteByte('}')
	args := [][]byte{[]byte(names.String()), []byte(x.r.cfg.Table), x.underWatch()}
	result := conn.Conn().PgConn().ExecParams(ctx, believeSQL, args, nil, nil, []int16{1})
	found := make([]lineID, len(members))
	for result.NextRow() {
		row := result.Values()
		i := binary.BigEndian.Uint64(row[0]) - 1
		members[i].table, found[i] = binary.BigEndian.Uint32(row[1]), lineID(row[2])
	}
	_, err := result.Close()
	if err == nil {
		err = x.load(ctx, conn, s, found)
	}
	if err != nil {
		x.trouble(ctx, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range members {
		m := &members[i]
		if m.sure {
			continue
		}
		if m.line = x.lines[found[i]]; m.line == nil || err != nil {
			m.table, m.line = 0, nil
			continue
		}
		m.sure = true
		m.err = m.verdict(x.r)
	}
}

// unsure returns copies of the members that the index does not answer for, in their order.
func unsure(members []member) []member {
	var left []member
	for _, m := range members {
		if !m.sure {
			left = append(left, m)
		}
	}
	return left
}

// put puts them back.
func put(members, left []member) {
	for i := range members {
		if !members[i].sure {
			members[i], left = left[0], left[1:]
		}
	}
}

// load gets the lines that were not met yet. What does not have the name of its content is not there.
func (x *index) load(ctx context.Context, conn *pgxpool.Conn, s *survey, found []lineID) error {
	x.mu.Lock()
	missing := make(map[lineID]bool)
	var last lineID
	for _, id := range found {
		if id != last && x.lines[id] == nil {
			missing[id] = true
		}
		last = id
	}
	delete(missing, lineID{})
	x.mu.Unlock()
	if len(missing) == 0 {
		return nil
	}
	var ids []string
	for id := range missing {
		ids = append(ids, hex.EncodeToString(id[:]))
	}
	rows, err := conn.Query(ctx, "select rows from pgtenant_index.lines where line = any($1::text::uuid[])", pgx.QueryExecModeExec, "{"+strings.Join(ids, ",")+"}")
	if err != nil {
		return err
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, text := range texts {
		versions, err := readLine(text)
		if err != nil || !missing[lineIDOf(text)] {
			continue
		}
		line := s.lines.of(versions)
		x.mu.Lock()
		x.lines[lineIDOf(text)] = line
		x.mu.Unlock()
	}
	return nil
}

// readLine reads what [lineage] has as rows.
func readLine(text string) ([]versionRow, error) {
	inner, ok := strings.CutPrefix(text, "{")
	if inner, ok2 := strings.CutSuffix(inner, "}"); ok && ok2 {
		var rows []versionRow
		for i, field := range strings.Split(inner, ",") {
			if inner == "" {
				return nil, nil
			}
			v, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("line of versions: %w", err)
			}
			row := versionRow{id: int64(i), version: v, applied: true}
			if v < 0 {
				row.version, row.applied = -1-v, false
			}
			rows = append(rows, row)
		}
		return rows, nil
	}
	return nil, fmt.Errorf("line of versions %q", text)
}
