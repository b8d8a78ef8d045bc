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

// Dir is a [Store] in a directory of the file system. It writes a file under a temporary name that
// begins with a dot, syncs it, and links it to its final name, so that it exists as a whole or not
// at all. Files that a crash leaves keep their temporary name. They are not listed, and [Dir.Sweep]
// deletes them.
//
// A symbolic link cannot lead out of the directory. Files have mode 0600 and directories 0700.
type Dir struct{ root *os.Root }

var _ Store = (*Dir)(nil)

// OpenDir opens an existing directory.
func OpenDir(name string) (*Dir, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open backup directory: %w", err)
	}
	return &Dir{root}, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Create creates a temporary file and the directories above it.
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

// Open opens a file for reading.
func (d *Dir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	err := d.checkRegular(name) // before Open, which blocks on a named pipe
	var file *os.File
	if err == nil {
		file, err = d.root.Open(name)
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, storeError(err))
	}
	return file, nil
}

// List yields the files whose names begin with prefix.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := fs.WalkDir(d.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case entry.IsDir() && !mayContain(name, prefix):
				return fs.SkipDir
			case !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") || !strings.HasPrefix(name, prefix):
				return nil
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) { // deleted since
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

// Delete deletes a file.
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

// checkRegular returns an error for anything that is not a regular file, such as a directory.
func (d *Dir) checkRegular(name string) error {
	info, err := d.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFound
	}
	return err
}

// mayContain reports whether files whose names begin with prefix can be in the directory name.
func mayContain(name, prefix string) bool {
	return name == "." || strings.HasPrefix(name+"/", prefix) || strings.HasPrefix(prefix, name+"/")
}

// storeError replaces the file system's error for a missing file by [ErrNotFound].
func storeError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return err
}
