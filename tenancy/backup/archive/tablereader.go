package archive

import (
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// TableReader reads the CSV of one table, until the next call of [Reader.Next].
type TableReader struct {
	Table // from the header

	r      *Reader
	hash   hash.Hash
	parts  int
	bytes  int64
	stored int64
	rows   rowCounter
	packed []byte // packed and raw are reused for the next part
	raw    []byte
	rest   []byte // the unread part of raw
	done   bool
	over   bool
}

// Read reads CSV. io.EOF means that the table is complete and the next table or the manifest
// follows. The content is verified only when [Reader.Next] has returned io.EOF.
func (t *TableReader) Read(p []byte) (int, error) {
	if !t.load() {
		return 0, t.end()
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// WriteTo writes the rest of the CSV to w, part by part. io.Copy uses it to avoid a copy.
func (t *TableReader) WriteTo(w io.Writer) (n int64, err error) {
	for t.load() {
		wrote, err := w.Write(t.rest)
		n += int64(wrote)
		t.rest = t.rest[wrote:]
		if err != nil {
			return n, err
		}
	}
	if err := t.end(); !errors.Is(err, io.EOF) {
		return n, err
	}
	return n, nil
}

// end returns the reason why nothing remains to be read.
func (t *TableReader) end() error {
	switch {
	case t.over:
		return fmt.Errorf("read table %q: %w", t.Name, ErrOrder)
	case t.done:
		return io.EOF
	}
	return t.r.err
}

// load ensures that rest is not empty. It reports false at the table's end and after an error.
func (t *TableReader) load() bool {
	if t.over || t.done || t.r.err != nil {
		return false
	}
	if len(t.rest) > 0 {
		return true
	}
	name := partEntry(t.Name, t.parts+1)
	if t.parts > 0 && !t.r.at(name) {
		t.finish()
		return false
	}
	if t.r.err = noEOF(t.read(name)); t.r.err != nil {
		return false
	}
	t.rest = t.raw
	return true
}

func (t *TableReader) finish() {
	t.done = true
	t.r.sums = append(t.r.sums, TableSum{
		Name: t.Name, Rows: t.rows.rows(), Bytes: t.bytes, Stored: t.stored, Parts: t.parts, SHA256: hexSum(t.hash),
	})
}

// read reads a part.
func (t *TableReader) read(name string) (err error) {
	limits, size := t.r.opts.Limits, t.r.header.PartSize
	if t.parts > 0 && len(t.raw) < size {
		return &FormatError{Entry: name, Reason: "follows a part that is not full"}
	}
	if t.packed, err = t.r.content(name, t.packed, stored(size)); err != nil {
		return err
	}
	if t.raw, err = t.decode(name); err != nil {
		return err
	}
	t.parts++
	t.bytes += int64(len(t.raw))
	t.stored += int64(len(t.packed))
	t.r.total += int64(len(t.raw))
	if t.bytes > limits.TableBytes || t.r.total > limits.TotalBytes {
		return &FormatError{Entry: name, Reason: "exceeds the allowed amount of CSV", Err: ErrLimit}
	}
	t.hash.Write(t.raw)
	t.rows.add(t.raw)
	return nil
}

// decode decompresses a part, which must be one frame that states its size.
func (t *TableReader) decode(name string) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(t.packed); err != nil {
		return nil, &FormatError{Entry: name, Reason: "is not a zstd frame", Err: err}
	}
	size := t.r.header.PartSize
	if h.Skippable || !h.HasFCS || h.FrameContentSize == 0 || h.FrameContentSize > uint64(size) {
		return nil, &FormatError{Entry: name, Reason: fmt.Sprintf("is not a zstd frame of 1 to %d bytes", size)}
	}
	raw, err := t.r.decoder.DecodeAll(t.packed, t.raw[:0])
	if err != nil {
		return nil, &FormatError{Entry: name, Reason: "cannot be decompressed", Err: err}
	}
	if uint64(len(raw)) != h.FrameContentSize {
		return nil, &FormatError{Entry: name, Reason: "is more than one zstd frame"}
	}
	return raw, nil
}
