package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
)

// Dir is a [Store] in a directory of the file system. A file is written under a name that begins with a dot, synced, and linked to its own
// name, so that it is there as a whole or not at all; what a crash has left begins with a dot and is not listed, until
// [Dir.Sweep] removes it.
//
// No name leads out of the directory, whatever links it holds. Files are for their owner alone (0600), directories too (0700).
type Dir struct{ root *os.Root }

var _ Store = (*Dir)(nil)

// OpenDir opens a directory that exists.
func OpenDir(name string) (*Dir, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open backup directory: %w", err)
	}
	return &Dir{root}, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Create begins a file, and the directories above it.
func (d *Dir) Create(ctx context.Context, name string) (Upload, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := d.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("create %q: %w", name, err)
	}
	temp := tempName(name, rand.Text())
	file, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create %q: %w", name, err)
	}
	return &dirUpload{ctx: ctx.Err, root: d.root, file: file, temp: temp, name: name}, nil
}

// Open reads a file.
func (d *Dir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	err := d.checkRegular(name) // before it is opened: the opening of a pipe waits
	var file *os.File
	if err == nil {
		file, err = d.root.Open(name)
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, storeError(err))
	}
	return file, nil
}

// List returns the files under a prefix.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := fs.WalkDir(d.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case entry.IsDir() && name != "." && !strings.HasPrefix(name+"/", prefix) && !strings.HasPrefix(prefix, name+"/"):
				return fs.SkipDir
			case !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") || !strings.HasPrefix(name, prefix):
				return nil
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(Object{Name: name, Size: info.Size(), ModTime: info.ModTime()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Object{}, fmt.Errorf("list %q: %w", prefix, err))
		}
	}
}

// Delete removes a file.
func (d *Dir) Delete(_ context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	err := d.checkRegular(name)
	if err == nil {
		err = d.root.Remove(name)
	}
	if err != nil {
		return fmt.Errorf("delete %q: %w", name, storeError(err))
	}
	return nil
}

// regular returns an error for what is no file of the store's, such as a directory.
func (d *Dir) checkRegular(name string) error {
	info, err := d.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFound
	}
	return err
}

// missing says that a file does not exist in the words of a [Store].
func storeError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return err
}
