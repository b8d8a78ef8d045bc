package backup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
)

// dirUpload is a file that has no name yet.
type dirUpload struct {
	ctx  func() error // of the Create: whether it has ended
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

// Commit makes the file last before it gets its name, and its name before it returns. A link is refused where the name is
// taken; a rename would replace the other file.
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

// Abort removes the file.
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

// sync makes the names last that are in the directories on the way to the file.
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
