package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// SpillSync selects when spilled entries are flushed to disk.
type SpillSync int

const (
	// SyncBatch flushes each batch: entries for which [Log.Flush] has returned survive a power loss.
	// It is the default.
	SyncBatch SpillSync = iota

	// SyncNever leaves flushing to the operating system: spilled entries survive a crash of the
	// process, not of the machine.
	SyncNever
)

// defaultSpillBytes is the default of [SpillConfig].MaxBytes.
const defaultSpillBytes = 256 << 20

// SpillConfig configures the files for entries while the database is unavailable.
type SpillConfig struct {
	// Dir is a directory for this process only, created if it is missing. No other user may be able to
	// write to it: the mode must not allow it, and on Unix it must belong to the user of the process.
	// Files have mode 0600 and contain log entries. A process that finds files of a killed process
	// writes their rows first. Default: "", entries are not spilled.
	Dir string

	// MaxBytes is the maximum total size of the files. Damaged files, which are kept with the suffix
	// .damaged, do not count: otherwise they could leave no room for entries. Default: 256 MiB;
	// negative values are refused.
	MaxBytes int64

	// Sync selects when files are flushed to disk. Default: [SyncBatch].
	Sync SpillSync
}

// spill is a directory of segment files. It is used by one goroutine.
type spill struct {
	cfg      SpillConfig
	root     *os.Root
	lock     *os.File
	segments []string // oldest first
	next     int      // the number of the next segment
	size     int64    // total size
	out      *os.File // the segment being written; nil: none
	outName  string
	outSize  int64
	in       *segment // the segment being read; nil: none
	last     *os.File // file with the head of the process's chain
}

const (
	segmentSuffix = ".spill"
	damagedSuffix = ".damaged"
	maxSegment    = 8 << 20
	lockName      = "lock"
	headName      = "head"
)

// openSpill opens and locks the directory of cfg. It returns nil if none is configured.
func openSpill(cfg SpillConfig) (*spill, error) {
	if cfg.Dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &spill{cfg: cfg, root: root}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *spill) open() (err error) {
	info, err := s.root.Stat(".")
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &FieldError{
			Field: "spill.dir",
			Value: s.cfg.Dir,
			Rule:  fmt.Sprintf("has mode %v, with which others may write", info.Mode().Perm()),
		}
	}
	if !ownedByProcess(info) {
		return &FieldError{Field: "spill.dir", Value: s.cfg.Dir, Rule: "belongs to another user, who may write there"}
	}
	if s.lock, err = s.root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := lockFile(s.lock); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSpillInUse, s.cfg.Dir, err)
	}
	if s.last, err = s.root.OpenFile(headName, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	return s.list()
}

// saveHead stores the head of the chain for the next process. The first chain of that process names
// it, so that the rows of this process cannot be removed without a trace.
func (s *spill) saveHead(h ChainHead) error {
	if s == nil {
		return nil
	}
	_, err := s.last.WriteAt(appendFrame(nil, batch{head: h}), 0)
	return err
}

// savedHead returns the head that the previous process stored, or the zero ChainHead.
func (s *spill) savedHead() (ChainHead, error) {
	if s == nil {
		return ChainHead{}, nil
	}
	content, err := io.ReadAll(io.NewSectionReader(s.last, 0, 1<<10))
	b, _ := (&segment{content: content}).batch() // a torn frame counts as none
	return b.head, err
}

// list finds the existing segments.
func (s *spill) list() error {
	dir, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, damaged := strings.CutSuffix(e.Name(), damagedSuffix)
		number, is := strings.CutSuffix(name, segmentSuffix)
		var n int
		if _, err := fmt.Sscanf(number, "%d", &n); is && err == nil && damaged {
			s.next = max(s.next, n+1) // its number must not be reused
			continue
		} else if !is || err != nil || e.Type()&fs.ModeType != 0 {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s.segments, s.size, s.next = append(s.segments, e.Name()), s.size+info.Size(), max(s.next, n+1)
	}
	slices.Sort(s.segments) // numbers have a fixed width
	return nil
}

// empty reports whether all spilled batches were written to the database.
func (s *spill) empty() bool { return s == nil || len(s.segments) == 0 }

// append writes a batch. With an error, such as [ErrSpillFull], the batch is not in the spill.
func (s *spill) append(b batch) error {
	if s == nil {
		return errors.New("no spill")
	}
	frame := appendFrame(nil, b)
	if s.size+int64(len(frame)) > s.cfg.MaxBytes {
		return ErrSpillFull
	}
	if s.out != nil && s.outSize >= maxSegment {
		if err := s.endSegment(); err != nil {
			return err
		}
	}
	if s.out == nil {
		if err := s.beginSegment(); err != nil {
			return err
		}
	}
	return s.write(frame)
}

func (s *spill) beginSegment() (err error) {
	name := fmt.Sprintf("%012d%s", s.next, segmentSuffix)
	if s.out, err = s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	s.next++
	s.outName, s.outSize = name, 0
	s.segments = append(s.segments, name)
	return s.syncDir()
}

// write appends a frame. If that fails, it truncates the segment to its previous size and ends it,
// because no frame may follow a torn one.
func (s *spill) write(frame []byte) error {
	_, err := s.out.Write(frame)
	if err == nil && s.cfg.Sync == SyncBatch {
		err = s.out.Sync()
	}
	if err != nil {
		err = errors.Join(err, s.out.Truncate(s.outSize), s.endSegment())
		return err
	}
	s.outSize += int64(len(frame))
	s.size += int64(len(frame))
	return nil
}

func (s *spill) endSegment() error {
	if s.out == nil {
		return nil
	}
	err := s.out.Close()
	s.out = nil
	return err
}

// read returns the oldest batch, or false if there is none. The batch stays in the spill until done
// is called.
func (s *spill) read() (b batch, ok bool, err error) {
	for !s.empty() {
		if s.in == nil {
			if s.out != nil && s.outName == s.segments[0] {
				if err := s.endSegment(); err != nil {
					return b, false, err
				}
			}
			if s.in, err = openSegment(s.root, s.segments[0]); err != nil {
				return b, false, err
			}
		}
		if b, ok = s.in.batch(); ok {
			return b, true, nil
		}
		if err := s.remove(); err != nil {
			return b, false, err
		}
	}
	return b, false, nil
}

// done marks the batch of read as stored.
func (s *spill) done() { s.in.next() }

// remove removes the segment that was read. A damaged segment is renamed and kept.
func (s *spill) remove() error {
	name := s.segments[0]
	var err error
	if s.in.damaged() {
		err = s.root.Rename(name, name+damagedSuffix)
	} else {
		err = s.root.Remove(name)
	}
	if err != nil {
		return err
	}
	s.segments, s.size = s.segments[1:], s.size-s.in.size
	s.in = nil
	return s.syncDir()
}

// syncDir flushes the directory, so that file names survive a power loss.
func (s *spill) syncDir() error {
	if s.cfg.Sync == SyncNever {
		return nil
	}
	dir, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(syncDirectory(dir), dir.Close())
}

func (s *spill) close() error {
	if s == nil {
		return nil
	}
	errs := []error{s.endSegment()}
	for _, f := range []*os.File{s.last, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(append(errs, s.root.Close())...)
}
