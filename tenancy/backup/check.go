package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// verifyStored reads the stored file back. Its bytes must be those that were written. If this
// program can decrypt them, they must also be an archive with the manifest that was written, so
// that a faulty writer is found now and not by a restore.
func (s *Service) verifyStored(ctx context.Context, r *backupRun) error {
	file, err := s.cfg.Store.Open(ctx, r.info.Name)
	if err != nil {
		return err
	}
	defer file.Close()
	meter := newHashWriter(io.Discard)
	src := io.TeeReader(&cancellable{ctx.Err, file}, meter)
	_, manifest, err := readAll(src, s.cfg.readerOptions())
	switch {
	case errors.Is(err, archive.ErrEncrypted) && len(s.cfg.Recipients) > 0:
		if _, err := io.Copy(io.Discard, src); err != nil {
			return err
		}
		r.info.Verified = VerifiedBytes
	case err != nil:
		return err
	case !reflect.DeepEqual(manifest, r.manifest):
		return errors.New("its manifest differs from the written one")
	default:
		r.info.Verified = VerifiedContent
	}
	if have, want := meter.sum(), (fileSum{r.info.Size, r.info.SHA256}); have != want {
		return fmt.Errorf("stored %d bytes with SHA-256 %s, wrote %d bytes with SHA-256 %s",
			have.size, have.sha256, want.size, want.sha256)
	}
	r.info.VerifiedAt = time.Now().UTC()
	return nil
}

// Check reads an archive of the store completely and returns its header and manifest. It checks
// that the archive is complete and that its signature satisfies [Config].TrustedKeys. If the
// archive has a receipt, it compares both: size and SHA-256, tenant, snapshot, tables and rows. It
// uses no database, and also reads archives of other registries.
//
// The errors are those of [archive.NewReader] and [archive.Reader.Next], a [ReceiptError],
// [ErrNotFound], and errors of the store. For an archive that is encrypted for other keys it
// compares size and SHA-256 before it returns [archive.ErrEncrypted].
func (s *Service) Check(ctx context.Context, name string) (archive.Header, archive.Manifest, error) {
	if s.cfg.Store == nil {
		return archive.Header{}, archive.Manifest{}, errNoStore
	}
	file, err := s.cfg.Store.Open(ctx, name)
	if err != nil {
		return archive.Header{}, archive.Manifest{}, fmt.Errorf("check backup %q: %w", name, err)
	}
	defer file.Close()
	h, m, err := s.check(ctx, name, file)
	if err != nil {
		return archive.Header{}, archive.Manifest{}, fmt.Errorf("check backup %q: %w", name, err)
	}
	return h, m, nil
}

func (s *Service) check(ctx context.Context, name string, file io.Reader) (archive.Header, archive.Manifest, error) {
	receipt, err := s.readReceipt(ctx, name)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return archive.Header{}, archive.Manifest{}, err
	}
	meter := newHashWriter(io.Discard)
	src := io.TeeReader(&cancellable{ctx.Err, file}, meter)
	h, m, err := readAll(src, s.cfg.readerOptions())
	if encrypted := errors.Is(err, archive.ErrEncrypted); err != nil && (!encrypted || !known) {
		return h, m, err
	}
	if _, failed := io.Copy(io.Discard, src); failed != nil {
		return h, m, failed
	}
	read := receipt // for an archive that cannot be decrypted, only size and SHA-256 are compared
	if err == nil {
		read = Info{}
		read.describe(h, m)
		read.Registry, read.Encrypted, read.Signed = receipt.Registry, receipt.Encrypted, receipt.Signed
	}
	read.Size, read.SHA256 = meter.n, meter.sum().sha256
	if !known {
		return h, m, err
	}
	if refused := receipt.compare(name, &read); refused != nil {
		return h, m, refused
	}
	return h, m, err
}

func readAll(src io.Reader, opts archive.ReaderOptions) (archive.Header, archive.Manifest, error) {
	r, err := archive.NewReader(src, opts)
	if err != nil {
		return archive.Header{}, archive.Manifest{}, err
	}
	defer r.Close()
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return r.Header(), r.Manifest(), r.CheckRows()
		} else if err != nil {
			return archive.Header{}, archive.Manifest{}, err
		}
	}
}

// cancellable is a reader that returns the context's error once the context has ended. It does not
// interrupt a Read.
type cancellable struct {
	ended func() error
	r     io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ended(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
