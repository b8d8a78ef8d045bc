package archive

import (
	"archive/tar"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Reader reads an archive as a stream. A Reader and its tables are for one goroutine.
type Reader struct {
	opts      ReaderOptions
	src       *source
	tar       *tar.Reader
	decoder   *zstd.Decoder
	header    Header
	headerSum string
	entry     *tar.Header // next entry; nil at the end
	last      string      // name of the previous entry
	lastEnd   int64       // end of its content
	table     *TableReader
	sums      []TableSum // of the tables read so far
	total     int64      // bytes of CSV
	manifest  Manifest
	signedBy  ed25519.PublicKey
	err       error // io.EOF after the end
}

// NewReader reads the header of an archive. For input that is not a valid archive it returns a
// [FormatError], [ErrVersion], [ErrTruncated] or [ErrEncrypted]. Errors of src are wrapped.
func NewReader(src io.Reader, opts ReaderOptions) (*Reader, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Reader{opts: opts}
	if r.src, err = open(src, opts.Identities); err != nil {
		return nil, err
	}
	r.tar = tar.NewReader(r.src)
	if err := r.advance(); err != nil {
		return nil, err
	}
	if err := r.readHeader(); err != nil {
		return nil, err
	}
	r.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(uint64(r.header.PartSize)), zstd.WithDecoderMaxWindow(2*MaxPartSize))
	return r, err
}

// Header returns the header. It is verified only when Next has returned io.EOF.
func (r *Reader) Header() Header { return r.header }

// Manifest returns the manifest after Next has returned io.EOF; before that it is empty.
func (r *Reader) Manifest() Manifest { return r.manifest }

// SignedBy returns the key of the verified signature after Next has returned io.EOF. It is nil if
// the archive is not signed.
func (r *Reader) SignedBy() ed25519.PublicKey { return r.signedBy }

// Close frees the decoder. It does not close the source.
func (r *Reader) Close() { r.decoder.Close() }

// Next returns the next table of the header. It skips the rest of the previous table. After the
// last table it reads the rest of the source, compares everything with the manifest, verifies the
// signature, and returns io.EOF if the archive is complete and valid. Any other error is final.
func (r *Reader) Next() (*TableReader, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.table != nil {
		for r.table.load() {
			r.table.rest = nil
		}
		r.table.over = true
	}
	switch {
	case r.err != nil:
	case len(r.sums) == len(r.header.Tables):
		if r.err = noEOF(r.finish()); r.err == nil {
			r.err = io.EOF
		}
	default:
		r.table = &TableReader{r: r, Table: r.header.Tables[len(r.sums)], hash: sha256.New()}
		return r.table, nil
	}
	return nil, r.err
}

// advance reads the header of the next entry.
func (r *Reader) advance() error {
	r.lastEnd = r.src.offset
	if r.entry != nil {
		r.last = r.entry.Name
	}
	h, err := r.tar.Next()
	if errors.Is(err, io.EOF) && r.src.err == nil {
		r.entry = nil
		return nil
	}
	if err != nil {
		return r.src.fault(r.last, err)
	}
	r.entry = h
	switch {
	case h.Typeflag != tar.TypeReg:
		return &FormatError{Entry: h.Name, Reason: "is not a regular file"}
	case h.Format == tar.FormatGNU:
		return &FormatError{Entry: h.Name, Reason: "is not in the PAX format"}
	}
	for key := range h.PAXRecords {
		if key != "path" && key != "mtime" && key != "atime" && key != "ctime" {
			return &FormatError{Entry: h.Name, Reason: fmt.Sprintf("has the attribute %q", clip(key))}
		}
	}
	return nil
}

// at reports whether the next entry has that name.
func (r *Reader) at(name string) bool { return r.entry != nil && r.entry.Name == name }

// misplaced returns the error for an unexpected entry.
func (r *Reader) misplaced(want string) error {
	if r.entry == nil {
		return fmt.Errorf("%w: entry %q is missing", ErrTruncated, want)
	}
	return &FormatError{Entry: r.entry.Name, Reason: fmt.Sprintf("is in the place of %q", want)}
}

// content reads the content of the next entry, which must have that name, into buf, and advances.
func (r *Reader) content(name string, buf []byte, limit int64) ([]byte, error) {
	switch {
	case !r.at(name):
		return nil, r.misplaced(name)
	case r.entry.Size > limit:
		reason := fmt.Sprintf("has %d bytes, and at most %d are allowed", r.entry.Size, limit)
		return nil, &FormatError{Entry: name, Reason: reason, Err: ErrLimit}
	}
	buf, err := appendAll(buf[:0], r.tar, r.entry.Size)
	if err != nil {
		return nil, r.src.fault(name, err)
	}
	return buf, r.advance()
}

// appendAll reads n bytes. It allocates memory as they arrive, because n comes from the archive.
func appendAll(buf []byte, from io.Reader, n int64) ([]byte, error) {
	for int64(len(buf)) < n {
		have := len(buf)
		grown := min(n, int64(max(2*have, cap(buf), 64<<10)))
		buf = append(buf, make([]byte, int(grown)-have)...)
		if _, err := io.ReadFull(from, buf[have:]); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func sum256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
