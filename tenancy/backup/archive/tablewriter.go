package archive

import (
	"fmt"
	"hash"
)

// TableWriter writes the CSV of one table, as COPY sends it, with a header line. It is for one
// goroutine.
type TableWriter struct {
	w      *Writer
	sum    *tableSum
	part   *part // being filled, or nil
	closed bool
}

// tableSum is the running sum of a table.
type tableSum struct {
	TableSum
	hash hash.Hash
}

// Write writes a piece of the CSV of any size. It blocks while dst is slower, and returns the first
// error of any earlier write.
func (t *TableWriter) Write(p []byte) (n int, err error) {
	if t.closed || t.w.ended {
		return 0, fmt.Errorf("write to table %q: %w", t.sum.Name, ErrOrder)
	}
	size := t.w.header.PartSize
	for len(p) > 0 {
		if t.part != nil && len(t.part.raw) == size {
			t.send()
		}
		if t.part == nil {
			if err := t.next(); err != nil {
				return n, err
			}
		}
		fits := min(len(p), size-len(t.part.raw))
		t.part.raw = append(t.part.raw, p[:fits]...)
		p = p[fits:]
		n += fits
	}
	return n, nil
}

// Close ends the table. rows is the number of rows that COPY reported.
func (t *TableWriter) Close(rows int64) error {
	switch {
	case t.closed || t.w.ended || rows < 0:
		return fmt.Errorf("close table %q: %w", t.sum.Name, ErrOrder)
	case t.part == nil: // a full part is sent only when more data follows
		return fmt.Errorf("close table %q without a header line: %w", t.sum.Name, ErrOrder)
	}
	t.closed = true
	t.sum.Rows, t.part.last = rows, true
	t.send()
	t.w.open = false
	t.w.written++
	return t.w.pipe.failure()
}

func (t *TableWriter) next() error {
	if t.sum.Parts == maxParts {
		err := fmt.Errorf("table %q in more than %d parts: %w", t.sum.Name, maxParts, ErrLimit)
		t.w.pipe.fail(err)
		return err
	}
	part, err := t.w.pipe.take()
	if err != nil {
		return err
	}
	t.sum.Parts++
	part.entry, part.sum, part.last = partEntry(t.sum.Name, t.sum.Parts), t.sum, false
	t.part = part
	return nil
}

func (t *TableWriter) send() {
	t.w.pipe.send(t.part)
	t.part = nil
}
