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

// Writer writes an archive as a stream. A Writer and its tables are for one goroutine. It
// compresses, hashes and encrypts in its own goroutines, which [Writer.Close] and [Writer.Abort]
// end.
type Writer struct {
	header    Header
	key       crypto.Signer
	out       *bufio.Writer
	encrypter io.WriteCloser // encrypts into out; nil without recipients
	tar       *tar.Writer
	manifest  Manifest
	written   int // number of closed tables
	open      bool
	pipe      *pipeline
	ended     bool
}

// NewWriter starts an archive in dst with its header, and sets the header's Version and PartSize.
// It does not close dst. It checks the header as a [Reader] with the default [Limits] does, and
// writes nothing if the header is invalid.
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
		if w.encrypter, err = age.Encrypt(w.out, opts.Recipients...); err != nil {
			return nil, fmt.Errorf("encrypt archive: %w", err)
		}
		w.tar = tar.NewWriter(w.encrypter)
	}
	sum := sha256.Sum256(text)
	w.manifest = Manifest{Version: header.Version, HeaderSHA256: hex.EncodeToString(sum[:]), Tables: []TableSum{}}
	if err := w.entry(headerEntry, text); err != nil {
		return nil, err
	}
	w.pipe, err = newPipeline(w, opts)
	return w, err
}

// Table starts the next table of the header, after the previous one was closed. The name must be
// that of the next table, so that rows cannot be written to the wrong one; another name is
// [ErrOrder].
func (w *Writer) Table(name string) (*TableWriter, error) {
	n := w.written
	if w.ended || w.open || n >= len(w.header.Tables) || w.header.Tables[n].Name != name {
		return nil, fmt.Errorf("archive table %q: %w", name, ErrOrder)
	}
	w.open = true
	return &TableWriter{w: w, sum: &tableSum{TableSum: TableSum{Name: name}, hash: sha256.New()}}, nil
}

// Close writes the manifest, signs it, and ends the archive. It returns [ErrOrder] if a table of
// the header is missing, or the first error of dst. The archive is valid only if Close returns nil.
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

// Abort abandons an archive: it writes no manifest, so that a [Reader] refuses what was written. It
// waits for a running Write of dst. After Close it does nothing.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.pipe.fail(errors.New("archive was aborted"))
	_ = w.pipe.close() // returns the error above, or an earlier one
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
	if w.encrypter != nil {
		if err := w.encrypter.Close(); err != nil {
			return err
		}
	}
	return w.out.Flush()
}

// entry writes one entry. Between NewWriter and Close only the pipeline calls it.
func (w *Writer) entry(name string, content []byte) error {
	err := w.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600,
		ModTime: w.header.TakenAt.Truncate(time.Second), Format: tar.FormatPAX,
	})
	if err == nil {
		_, err = w.tar.Write(content)
	}
	if err != nil {
		return fmt.Errorf("write archive entry %q: %w", name, err)
	}
	return nil
}
