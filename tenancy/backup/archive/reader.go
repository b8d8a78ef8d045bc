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

// Reader reads an archive as a stream. It is for one goroutine, as are its tables.
type Reader struct {
	opts      ReaderOptions
	src       *source
	tar       *tar.Reader
	decoder   *zstd.Decoder
	header    Header
	headerSum string
	entry     *tar.Header // the one that comes next; nil: the end
	last      string      // the name of the one before
	lastEnd   int64       // where its content ended
	table     *TableReader
	sums      []TableSum // of the tables that were read
	total     int64      // bytes of CSV
	manifest  Manifest
	signedBy  ed25519.PublicKey
	err       error // io.EOF after the end
}

// NewReader reads the header of an archive. What src says that is no archive is a [FormatError], [ErrVersion],
// [ErrTruncated] or [ErrEncrypted]; errors of src are wrapped as they are.
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

// Header returns the header. That it is what was written is known when Next has returned io.EOF.
func (r *Reader) Header() Header { return r.header }

// Manifest returns what was written, after Next has returned io.EOF; before that it is empty.
func (r *Reader) Manifest() Manifest { return r.manifest }

// SignedBy returns the key whose signature was verified, after Next has returned io.EOF; nil if the archive is not signed.
func (r *Reader) SignedBy() ed25519.PublicKey { return r.signedBy }

// Close frees the decoder. It does not close the source.
func (r *Reader) Close() { r.decoder.Close() }

// Next returns the next table of the header, and reads on where the one before was not read to its end. After the last table it
// reads the rest of the archive, down to the end of the source, compares all there was with the manifest, and verifies the signature:
// io.EOF means that the archive is whole. Any other error is final.
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

// advance reads the next entry's header.
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

// at reports whether an entry of that name comes next.
func (r *Reader) at(name string) bool { return r.entry != nil && r.entry.Name == name }

// misplaced is the error of an entry that is not what has to come next.
func (r *Reader) misplaced(want string) error {
	if r.entry == nil {
		return fmt.Errorf("%w: entry %q is missing", ErrTruncated, want)
	}
	return &FormatError{Entry: r.entry.Name, Reason: fmt.Sprintf("is where %q has to be", want)}
}

// content reads the entry that comes next, which must have that name, into buf, and goes on to the one behind it.
func (r *Reader) content(name string, buf []byte, limit int64) ([]byte, error) {
	switch {
	case !r.at(name):
		return nil, r.misplaced(name)
	case r.entry.Size > limit:
		return nil, &FormatError{Entry: name, Reason: fmt.Sprintf("has %d bytes, at most %d", r.entry.Size, limit), Err: ErrLimit}
	}
	buf, err := appendAll(buf[:0], r.tar, r.entry.Size)
	if err != nil {
		return nil, r.src.fault(name, err)
	}
	return buf, r.advance()
}

// appendAll reads n bytes. It takes memory as they come, because n is what the archive says.
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
