package archive

import (
	"archive/tar"
	"bufio"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
)

// Writer writes an archive as a stream. It is for one goroutine, as are its tables; compression, checksums and encryption run in
// goroutines of its own, which [Writer.Close] and [Writer.Abort] end.
type Writer struct {
	header   Header
	key      crypto.Signer
	out      *bufio.Writer
	sealed   io.WriteCloser // encrypts into out; nil: nothing does
	tar      *tar.Writer
	manifest Manifest
	written  int // tables that are closed
	open     bool
	pipe     *pipeline
	ended    bool
}

// NewWriter begins an archive in dst with its header, whose Version and PartSize it sets. It does not close dst. The header is checked
// as a [Reader] would with the default [Limits]; nothing is written where it does not pass.
func NewWriter(dst io.Writer, header Header, opts WriterOptions) (*Writer, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	limits, err := Limits{}.withDefaults()
	if err != nil {
		return nil, err
	}
	header.Version, header.PartSize = header.version(), opts.PartSize
	if err := header.check(limits); err != nil {
		return nil, fmt.Errorf("archive header: %w", err)
	}
	text, err := json.MarshalIndent(header, "", " ")
	if err != nil {
		return nil, fmt.Errorf("archive header: %w", err)
	}
	if int64(len(text)) > limits.HeaderBytes {
		return nil, fmt.Errorf("archive header of %d bytes: %w", len(text), ErrLimit)
	}
	w := &Writer{header: header, key: opts.SigningKey, out: bufio.NewWriterSize(dst, 64<<10)}
	w.tar = tar.NewWriter(w.out)
	if len(opts.Recipients) > 0 {
		if w.sealed, err = age.Encrypt(w.out, opts.Recipients...); err != nil {
			return nil, fmt.Errorf("encrypt archive: %w", err)
		}
		w.tar = tar.NewWriter(w.sealed)
	}
	sum := sha256.Sum256(text)
	w.manifest = Manifest{Version: header.Version, HeaderSHA256: hex.EncodeToString(sum[:]), Tables: []TableSum{}}
	if err := w.entry(headerEntry, text); err != nil {
		return nil, err
	}
	w.pipe, err = newPipeline(w, opts)
	return w, err
}

// Table begins the next table of the header, when the one before is closed. Its name is given so that rows cannot go
// into the wrong one: another name is [ErrOrder].
func (w *Writer) Table(name string) (*TableWriter, error) {
	n := w.written
	if w.ended || w.open || n >= len(w.header.Tables) || w.header.Tables[n].Name != name {
		return nil, fmt.Errorf("archive table %q: %w", name, ErrOrder)
	}
	w.open = true
	return &TableWriter{w: w, sum: &tableSum{TableSum: TableSum{Name: name}, hash: sha256.New()}}, nil
}

// Close writes the manifest, signs it, and ends the archive. It fails with [ErrOrder] while a table of the header is
// missing, and with the first error of dst. What was written is an archive only if it returns nil.
func (w *Writer) Close() (Manifest, error) {
	if w.ended {
		return Manifest{}, fmt.Errorf("close archive: %w", ErrOrder)
	}
	w.ended = true
	if err := w.pipe.close(); err != nil {
		return Manifest{}, err
	}
	if w.open || w.written < len(w.header.Tables) {
		return Manifest{}, fmt.Errorf("close archive after %d of %d tables: %w", w.written, len(w.header.Tables), ErrOrder)
	}
	if err := w.finish(); err != nil {
		return Manifest{}, fmt.Errorf("close archive: %w", err)
	}
	return w.manifest, nil
}

// Abort gives up an archive: what was written stays without a manifest, and is refused by a [Reader]. It waits for a Write
// of dst that is under way. After Close it does nothing.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.pipe.fail(errors.New("archive was given up"))
	_ = w.pipe.close() // the error above, or the one that is the reason
}

func (w *Writer) finish() error {
	text, err := json.MarshalIndent(w.manifest, "", " ")
	if err != nil {
		return err
	}
	if err := w.entry(manifestEntry, text); err != nil {
		return err
	}
	if w.key != nil {
		sig, err := sign(w.key, text)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(sig, "", " ")
		if err != nil {
			return err
		}
		if err := w.entry(signatureEntry, text); err != nil {
			return err
		}
	}
	if err := w.tar.Close(); err != nil {
		return err
	}
	if w.sealed != nil {
		if err := w.sealed.Close(); err != nil {
			return err
		}
	}
	return w.out.Flush()
}

// entry writes one entry. From NewWriter until Close only the pipeline calls it.
func (w *Writer) entry(name string, content []byte) error {
	err := w.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600, ModTime: w.header.TakenAt.Truncate(time.Second),
		Format: tar.FormatPAX,
	})
	if err == nil {
		_, err = w.tar.Write(content)
	}
	if err != nil {
		return fmt.Errorf("write archive entry %q: %w", name, err)
	}
	return nil
}
