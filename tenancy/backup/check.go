package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// verify reads back what was stored. The bytes must be those that were written; and as far as this program can open them, they must be
// an archive with the manifest that was written, so that it is not left to a restore to find out that they never were one.
func (s *Service) verifyStored(ctx context.Context, r *backupRun) error {
	file, err := s.cfg.Store.Open(ctx, r.info.Name)
	if err != nil {
		return err
	}
	defer file.Close()
	meter := &hashWriter{dst: io.Discard, hash: sha256.New()}
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
		return errors.New("its manifest is not the one that was written")
	default:
		r.info.Verified = VerifiedContent
	}
	if sum := hex.EncodeToString(meter.hash.Sum(nil)); meter.n != r.info.Size || sum != r.info.SHA256 {
		return fmt.Errorf("%d bytes with the SHA-256 %s are stored, %d with %s were written", meter.n, sum, r.info.Size, r.info.SHA256)
	}
	r.info.VerifiedAt = time.Now().UTC()
	return nil
}

// Check reads an archive of the store to its end and returns its header and manifest. It checks
// that the archive is complete and signed as [Config].TrustedKeys demand. If the archive has a
// receipt, it compares both: size and SHA-256, tenant, snapshot, tables and rows. It uses no
// database, and also reads archives of other registries. The errors are those of
// [archive.NewReader] and [archive.Reader.Next], a [ReceiptError], [ErrNotFound], and the store's.
// For an archive that is encrypted to other keys it compares size and SHA-256 before it returns
// [archive.ErrEncrypted].
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
	read := receipt // of an archive that cannot be decrypted, only size and SHA-256 are known
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

// cancellable ends when a context does, between two reads.
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
