package backup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
)

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
