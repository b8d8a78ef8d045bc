package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// DefaultPartSize is the default size of an upload's parts, in bytes. S3 accepts 10,000 parts, so
// that an archive can have 160 GB.
const DefaultPartSize = 16 << 20

// uploads is the number of parts of one file that are uploaded concurrently. An upload holds that
// many parts in memory, and a little more.
const uploads = 2

// Config configures a [Store].
type Config struct {
	// PartSize is the size of an upload's parts, in bytes, at least 5 MiB. It bounds the memory of an
	// upload and, with S3, the size of an archive. Default: [DefaultPartSize].
	PartSize int
}

// Store is a [backup.Store] in a bucket. It is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	cfg    Config
}

var _ backup.Store = (*Store)(nil)

// New returns a store in a bucket, which it does not close. Use a separate bucket, or one from
// [blob.PrefixedBucket].
func New(bucket *blob.Bucket, cfg Config) (*Store, error) {
	if bucket == nil {
		return nil, errors.New("blobstore: the bucket is nil")
	}
	if cfg.PartSize == 0 {
		cfg.PartSize = DefaultPartSize
	}
	if cfg.PartSize < 5<<20 {
		return nil, fmt.Errorf("blobstore: Config.PartSize %d is less than 5 MiB, the minimum of S3", cfg.PartSize)
	}
	return &Store{bucket, cfg}, nil
}

// ErrExists is returned for a name that a file already has: by Create, or by Commit if a concurrent
// upload committed first.
var ErrExists = errors.New("file exists in the store")

// Create starts an upload. It checks now that the name is free. If the provider supports it, the
// provider checks again in Commit.
func (s *Store) Create(ctx context.Context, name string) (backup.Upload, error) {
	if err := backup.CheckName(name); err != nil {
		return nil, err
	}
	exists, err := s.bucket.Exists(ctx, name)
	if err == nil && exists {
		err = ErrExists
	}
	if err != nil {
		return nil, fmt.Errorf("create %q: %w", name, err)
	}
	u := &upload{name: name}
	ctx, u.cancel = context.WithCancel(ctx)
	u.w, err = s.bucket.NewWriter(ctx, name, &blob.WriterOptions{
		BufferSize: s.cfg.PartSize, MaxConcurrency: uploads, ContentType: "application/octet-stream", IfNotExist: true,
	})
	if err != nil {
		u.cancel()
		return nil, fmt.Errorf("create %q: %w", name, err)
	}
	return u, nil
}

// Open opens a file for reading.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := backup.CheckName(name); err != nil {
		return nil, err
	}
	r, err := s.bucket.NewReader(ctx, name, nil)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, known(err))
	}
	return r, nil
}

// List yields the files whose names begin with prefix. It reads them page by page.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[backup.Object, error] {
	return func(yield func(backup.Object, error) bool) {
		list := s.bucket.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := list.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil { // some drivers do not check ctx
				err = ctx.Err()
			}
			if err != nil {
				yield(backup.Object{}, fmt.Errorf("list %q: %w", prefix, err))
				return
			}
			if !o.IsDir && !yield(backup.Object{Name: o.Key, Size: o.Size, ModTime: o.ModTime}, nil) {
				return
			}
		}
	}
}

// Delete deletes a file.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := backup.CheckName(name); err != nil {
		return err
	}
	err := s.bucket.Delete(ctx, name)
	if err == nil {
		return nil
	}
	// Some drivers do not return NotFound.
	if exists, errExists := s.bucket.Exists(ctx, name); errExists == nil && !exists {
		err = fmt.Errorf("%w: %w", backup.ErrNotFound, err)
	}
	return fmt.Errorf("delete %q: %w", name, err)
}

// known joins the errors of package backup and [ErrExists] to the provider's errors.
func known(err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%w: %w", backup.ErrNotFound, err)
	case gcerrors.AlreadyExists, gcerrors.FailedPrecondition:
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	return err
}
