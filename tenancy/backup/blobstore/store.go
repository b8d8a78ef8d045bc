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

// DefaultPartSize is the size of the parts of an upload, in bytes. S3 takes 10,000 of them: 160 GB an archive.
const DefaultPartSize = 16 << 20

// uploads is how many parts of one file are under way at a time: an upload takes as many parts of memory, and a little more.
const uploads = 2

// Config says how files are uploaded.
type Config struct {
	// PartSize is the size of the parts in which a file is uploaded, in bytes, at least 5 MiB. It bounds memory, and with S3 the size of an
	// archive. Default: [DefaultPartSize].
	PartSize int
}

// Store is a [backup.Store] in a bucket. It is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	cfg    Config
}

var _ backup.Store = (*Store)(nil)

// New returns a store in a bucket, which it does not close. Give it a bucket of its own, or one by [blob.PrefixedBucket].
func New(bucket *blob.Bucket, cfg Config) (*Store, error) {
	if bucket == nil {
		return nil, errors.New("blobstore: the bucket is nil")
	}
	if cfg.PartSize == 0 {
		cfg.PartSize = DefaultPartSize
	}
	if cfg.PartSize < 5<<20 {
		return nil, fmt.Errorf("blobstore: Config.PartSize %d is less than 5 MiB, the least that S3 takes", cfg.PartSize)
	}
	return &Store{bucket, cfg}, nil
}

// ErrExists is returned by Create, or by Commit where another upload was quicker, for a name that a file has.
var ErrExists = errors.New("file exists in the store")

// Create begins a file. That its name is free is looked at now and, where the provider does it, once more by the provider at the end.
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

// Open reads a file.
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

// List returns the files under a prefix, a page at a time.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[backup.Object, error] {
	return func(yield func(backup.Object, error) bool) {
		list := s.bucket.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := list.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil { // not every driver looks
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

// Delete removes a file.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := backup.CheckName(name); err != nil {
		return err
	}
	err := s.bucket.Delete(ctx, name)
	if err == nil {
		return nil
	}
	if exists, errExists := s.bucket.Exists(ctx, name); errExists == nil && !exists { // not every driver says so
		err = fmt.Errorf("%w: %w", backup.ErrNotFound, err)
	}
	return fmt.Errorf("delete %q: %w", name, err)
}

// known adds our words for an error to the provider's.
func known(err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%w: %w", backup.ErrNotFound, err)
	case gcerrors.AlreadyExists, gcerrors.FailedPrecondition:
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	return err
}
