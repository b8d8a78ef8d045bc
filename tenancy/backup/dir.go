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
	"sync"
	"time"
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

// dirUpload is a temporary file.
type dirUpload struct {
	ctx  func() error // Err of Create's context
	root *os.Root
	file *os.File
	temp string
	name string
	end  sync.Once
}

var errEnded = errors.New("upload has ended")

func (u *dirUpload) Write(p []byte) (int, error) {
	if err := u.ctx(); err != nil {
		return 0, fmt.Errorf("write %q: %w", u.name, err)
	}
	return u.file.Write(p)
}

// Commit syncs the file, links it to its final name, and syncs the directories. A link fails if the
// name exists; a rename would replace the other file.
func (u *dirUpload) Commit() error {
	err := errEnded
	u.end.Do(func() {
		err = errors.Join(u.ctx(), u.file.Sync())
		err = errors.Join(err, u.file.Close())
		if err == nil {
			err = u.root.Link(u.temp, u.name)
		}
		err = errors.Join(err, u.root.Remove(u.temp))
		if err == nil {
			err = u.sync()
		}
	})
	if err != nil {
		return fmt.Errorf("commit %q: %w", u.name, err)
	}
	return nil
}

// Abort deletes the temporary file.
func (u *dirUpload) Abort() error {
	var err error
	u.end.Do(func() {
		err = errors.Join(u.file.Close(), u.root.Remove(u.temp))
	})
	if err != nil {
		return fmt.Errorf("abort %q: %w", u.name, err)
	}
	return nil
}

// sync syncs the directories above the file, so that their entries are durable.
func (u *dirUpload) sync() error {
	for name := path.Dir(u.name); ; name = path.Dir(name) {
		dir, err := u.root.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
			return err
		}
		if name == "." {
			return nil
		}
	}
}

var _ Sweeper = (*Dir)(nil)

// Sweep deletes temporary files that killed processes have left, see [Sweeper].
func (d *Dir) Sweep(ctx context.Context, prefix string, before time.Time) (removed []string, err error) {
	err = fs.WalkDir(d.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && !mayContain(name, prefix):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		whole, is := targetName(name)
		if !is || !strings.HasPrefix(whole, prefix) {
			return nil
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().Before(before) {
			if err = d.root.Remove(name); err == nil {
				removed = append(removed, name)
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // committed or aborted since
			return nil
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("sweep %q: %w", prefix, err)
	}
	return removed, err
}

// tempLength is the number of random letters and digits in a temporary name.
const tempLength = 8

// tempName returns a temporary name for a file.
func tempName(name, random string) string {
	return path.Join(path.Dir(name), "."+path.Base(name)+"."+strings.ToLower(random[:tempLength]))
}

// targetName returns the final name for a temporary name. It reports false for files of other
// programs that begin with a dot, which are left alone.
func targetName(temp string) (name string, is bool) {
	base, dotted := strings.CutPrefix(path.Base(temp), ".")
	end := len(base) - tempLength - 1
	if !dotted || end < 1 || base[end] != '.' || strings.Trim(base[end+1:], "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", false
	}
	name = path.Join(path.Dir(temp), base[:end])
	return name, CheckName(name) == nil
}
