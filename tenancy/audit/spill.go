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

// SpillSync says when what was spilled is forced to the disk.
type SpillSync int

const (
	// SyncBatch forces each batch: what [Log.Flush] has returned for survives a loss of power. It is
	// the default.
	SyncBatch SpillSync = iota

	// SyncNever leaves it to the system: what was spilled survives the process, not the machine.
	SyncNever
)

// DefaultSpillBytes is the most that a spill holds where its config does not say.
const DefaultSpillBytes = 256 << 20

// SpillConfig says where entries go while the database is away.
type SpillConfig struct {
	// Dir is a directory of this process's own, which is made where it is missing. Nobody else may
	// write there: the mode must not allow it, and where there are users it must belong to that of the
	// process. Files have mode 0600 and hold what the log holds. A process that finds files of one
	// before it, which was killed, writes their rows first. Default: "", nothing is spilled.
	Dir string

	// MaxBytes is the most that the files have together. Default: [DefaultSpillBytes]; negative ones
	// are refused.
	MaxBytes int64

	// Sync says when files are forced to the disk. Default: [SyncBatch].
	Sync SpillSync
}

// spill is a directory of segments. One goroutine uses it.
type spill struct {
	cfg      SpillConfig
	root     *os.Root
	lock     *os.File
	segments []string // from the oldest on
	next     int      // the number of the next segment
	size     int64    // of all
	out      *os.File // the segment that is written; nil: none
	outName  string
	outSize  int64
	in       *segment // the segment that is read; nil: none
	last     *os.File // holds the head of the process's chain
}

const (
	segmentSuffix = ".spill"
	damagedSuffix = ".damaged"
	maxSegment    = 8 << 20
	lockName      = "lock"
	headName      = "head"
)

// openSpill takes the directory of cfg, or returns nil where there is none.
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
			Field: "spill directory",
			Value: s.cfg.Dir,
			Rule:  fmt.Sprintf("has mode %v, with which others may write", info.Mode().Perm()),
		}
	}
	if !ownedByProcess(info) {
		return &FieldError{Field: "spill directory", Value: s.cfg.Dir, Rule: "belongs to another user, who may write there"}
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

// saveHead remembers how far the chain has come, for the next process: its chain says so, and the
// rows of this one cannot go missing without a trace.
func (s *spill) saveHead(h ChainHead) error {
	if s == nil {
		return nil
	}
	_, err := s.last.WriteAt(appendFrame(nil, batch{head: h}), 0)
	return err
}

// savedHead returns what the process before has saved, or the zero Head.
func (s *spill) savedHead() (ChainHead, error) {
	if s == nil {
		return ChainHead{}, nil
	}
	content, err := io.ReadAll(io.NewSectionReader(s.last, 0, 1<<10))
	b, _ := (&segment{content: content}).batch() // torn: as if there were none
	return b.head, err
}

// list finds the segments that are there.
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
			s.next = max(s.next, n+1) // no other segment is to take its place
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
	slices.Sort(s.segments) // numbers have the same width
	return nil
}

// empty reports whether all that was spilled was taken again.
func (s *spill) empty() bool { return s == nil || len(s.segments) == 0 }

// append writes a batch. With an error the batch is not in the spill; [ErrSpillFull] is one.
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

// write appends a frame. What was written of one that failed is cut off, or the segment ends there:
// nothing may come behind a torn frame.
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

// read returns the oldest batch; false: there is none. It stays in the spill until done.
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

// done says that the batch of read is stored.
func (s *spill) done() { s.in.next() }

// remove takes away the segment that was read. One that is damaged stays under another name.
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

// syncDir makes the names of files survive.
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
