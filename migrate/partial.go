package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// halfDone is the part of a schema's note about a migration without a transaction that is running
// or has stopped. It has the statement that was sent last. Those before it are done.
type halfDone struct {
	Version   int64     `json:"version"`
	Direction Direction `json:"direction"`
	Statement int       `json:"statement"` // 1-based
	Checksum  string    `json:"checksum,omitempty"`
}

// HalfDoneError is returned, in an [Error], if a migration without a transaction fails and an
// earlier run of it had stopped half way. The statements before Statement are done. Each run
// repeats them. They fail unless they can be repeated (IF NOT EXISTS) or were undone by hand.
type HalfDoneError struct {
	Statement int   // where the earlier run stopped, 1-based, within the file's section
	Edited    bool  // the file was edited since; Statement counts in the earlier file
	Err       error // why it failed this time
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

// sum returns the beginning of the migration's checksum.
func (st step) sum() string {
	if st.m.checksum == "" {
		return ""
	}
	return st.m.checksum[:noteLen]
}

// notesHalf reports whether the progress of a step is noted. It is noted if the step can stop
// between two statements and the schema is in use, which a scratch schema is not.
func (s *session) notesHalf(st step) bool {
	return !s.t.cfg.unused && !st.isGo() && len(st.statements()) > 1
}

// stopped returns the note about an earlier run of the step, or nil.
func (s state) stopped(st step) *halfDone {
	if s.half == nil || s.half.Version != st.m.version || s.half.Direction != st.dir {
		return nil
	}
	return s.half
}

// noteHalf notes that the statements before the i-th one of a step are done, before that one is
// sent. The migration may have changed the session in a way that the note cannot be written. It
// goes on then, because stopping in the middle would be worse.
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

// halfError adds a [HalfDoneError] to the error of a step if an earlier run of it had stopped.
func (s state) halfError(st step, err error) error {
	var failure *Error
	before := s.stopped(st)
	if before == nil || !errors.As(err, &failure) {
		return err
	}
	failure.Err = &HalfDoneError{Statement: before.Statement, Edited: before.Checksum != st.sum(), Err: failure.Err}
	return err
}
