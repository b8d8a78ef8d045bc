package backup_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// errAway is the error of a faulty store.
var errAway = errors.New("storage is away")

// faulty is a store in the fixture's directory whose functions fail. A nil function does not fail.
type faulty struct {
	backup.Store
	create  func(name string) error
	write   func(n int64) error // called before a Write; n bytes are written so far
	commit  func(name string) error
	open    func(name string) error
	receive func(io.ReadCloser) io.ReadCloser
	remove  func(name string) error
}

func (s *faulty) Create(ctx context.Context, name string) (backup.Upload, error) {
	if s.create != nil {
		if err := s.create(name); err != nil {
			return nil, err
		}
	}
	u, err := s.Store.Create(ctx, name)
	return &faultyUpload{Upload: u, s: s, name: name}, err
}

func (s *faulty) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if s.open != nil {
		if err := s.open(name); err != nil {
			return nil, err
		}
	}
	file, err := s.Store.Open(ctx, name)
	if err == nil && s.receive != nil {
		file = s.receive(file)
	}
	return file, err
}

func (s *faulty) List(ctx context.Context, prefix string) iter.Seq2[backup.Object, error] {
	return s.Store.List(ctx, prefix)
}

func (s *faulty) Delete(ctx context.Context, name string) error {
	if s.remove != nil {
		if err := s.remove(name); err != nil {
			return err
		}
	}
	return s.Store.Delete(ctx, name)
}

type faultyUpload struct {
	backup.Upload
	s    *faulty
	name string
	n    int64
}

func (u *faultyUpload) Write(p []byte) (int, error) {
	if u.s.write != nil && !isReceipt(u.name) {
		if err := u.s.write(u.n); err != nil {
			return 0, err
		}
	}
	n, err := u.Upload.Write(p)
	u.n += int64(n)
	return n, err
}

func (u *faultyUpload) Commit() error {
	if u.s.commit != nil {
		if err := u.s.commit(u.name); err != nil {
			return errors.Join(err, u.Abort())
		}
	}
	return u.Upload.Commit()
}

func isReceipt(name string) bool { return strings.HasSuffix(name, ".json") }

// changed is a file whose content is changed while it is read.
type changed struct {
	io.ReadCloser
	n      int64
	change func(n int64, p []byte) (int, error) // p are the bytes from offset n on
}

func (c *changed) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if kept, e := c.change(c.n, p[:n]); e != nil {
		return kept, e
	}
	c.n += int64(n)
	return n, err
}
