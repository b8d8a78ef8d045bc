package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// halfDone is what a schema's note says of a migration without a transaction that is being run, or
// that stopped: the statement that was sent last. Those before it are done.
type halfDone struct {
	Version   int64     `json:"version"`
	Direction Direction `json:"direction"`
	Statement int       `json:"statement"` // 1-based
	Checksum  string    `json:"checksum,omitempty"`
}

// HalfDoneError is returned, in an [Error], when a migration without a transaction fails and an
// earlier run of it had stopped half way. The statements before Statement are done. A run repeats
// them, and they fail unless they can be repeated (IF NOT EXISTS), or what they made was undone by
// hand.
type HalfDoneError struct {
	Statement int   // at which the earlier run stopped, 1-based, within the file's section
	Edited    bool  // the file was edited since: Statement counts in the file as it was then
	Err       error // why it failed now
}

// Error returns the reason and where the earlier run stopped.
func (e *HalfDoneError) Error() string {
	of := ""
	if e.Edited {
		of = " of the file as it was before it was edited"
	}
	return fmt.Sprintf("%v: an earlier run stopped at statement %d%s, and the statements before that one are done: "+
		"undo them, or make them repeatable, and run the migration again", e.Err, e.Statement, of)
}

// Unwrap returns the reason.
func (e *HalfDoneError) Unwrap() error { return e.Err }

// sum is the beginning of the migration's checksum.
func (st step) sum() string {
	if st.m.checksum == "" {
		return ""
	}
	return st.m.checksum[:noteLen]
}

// notesHalf reports whether the progress of a step is noted: it can stop between two statements,
// and the schema is no scratch schema.
func (s *session) notesHalf(st step) bool {
	return !s.t.cfg.unused && !st.isGo() && len(st.statements()) > 1
}

// stopped returns what the note says of an earlier run of a step, or nil.
func (s state) stopped(st step) *halfDone {
	if s.half == nil || s.half.Version != st.m.version || s.half.Direction != st.dir {
		return nil
	}
	return s.half
}

// noteHalf writes down, before the i-th statement of a step is sent, that those before it are done.
// The migration may have changed the session so that the note cannot be written. That is no reason
// to stop in the middle.
func (s *session) noteHalf(ctx context.Context, seen state, st step, i int) error {
	if i == 0 || !seen.noted || !s.notesHalf(st) {
		return nil
	}
	h := halfDone{Version: st.m.version, Direction: st.dir, Statement: i + 1, Checksum: st.sum()}
	if before := seen.stopped(st); before != nil && before.Checksum == h.Checksum {
		h.Statement = max(h.Statement, before.Statement)
	}
	seen.half = &h
	err := s.exec(ctx, call{sql: "comment on table " + s.t.table + " is " + literal(seen.after(nil))})
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && !s.conn().IsClosed() {
		return nil
	}
	return err
}

// halfError adds to the error of a step where an earlier run of it had stopped.
func (s state) halfError(st step, err error) error {
	var failure *Error
	before := s.stopped(st)
	if before == nil || !errors.As(err, &failure) {
		return err
	}
	failure.Err = &HalfDoneError{Statement: before.Statement, Edited: before.Checksum != st.sum(), Err: failure.Err}
	return err
}
