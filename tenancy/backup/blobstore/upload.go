package blobstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gocloud.dev/blob"
)

// upload is a running upload. Cancelling its context aborts it: closing the writer with a live
// context commits.
type upload struct {
	name   string
	cancel context.CancelFunc
	mu     sync.Mutex // held during a write, and by Commit and Abort
	w      *blob.Writer
	ended  bool
}

var errEnded = errors.New("upload has ended")

func (u *upload) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return 0, fmt.Errorf("write %q: %w", u.name, errEnded)
	}
	n, err := u.w.Write(p)
	if err != nil {
		return n, fmt.Errorf("write %q: %w", u.name, err)
	}
	return n, nil
}

// Commit makes the file visible.
func (u *upload) Commit() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return fmt.Errorf("commit %q: %w", u.name, errEnded)
	}
	u.ended = true
	defer u.cancel()
	if err := u.w.Close(); err != nil {
		return fmt.Errorf("commit %q: %w", u.name, known(err))
	}
	return nil
}

// Abort ends a running write and the upload. Closing the writer must then report the cancellation.
func (u *upload) Abort() error {
	u.cancel() // before the lock, which a running write holds
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return nil
	}
	u.ended = true
	if u.w.Close() == nil {
		return fmt.Errorf("abort %q: it was committed", u.name)
	}
	return nil
}
