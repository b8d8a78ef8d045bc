package resolver

import (
	"sync"
	"time"
)

// Status says how a [Directory] is doing, for metrics and health checks.
type Status struct {
	// Current is when the directory was last known to be current: what was committed before it is in memory. While
	// all is well it is a [Config].KeepAlive ago at most.
	Current time.Time

	Connected bool // the connection that listens to changes is up
	Hosts     int  // that lead somewhere, public ones and those under base domains included
	Tenants   int  // whatever their status
	Disputed  int  // hosts that are [ErrAmbiguous], or public and a tenant's domain too

	FullLoads    int64 // that succeeded
	PartialLoads int64 // that succeeded: of tenants that changed and of hosts that were unknown
	FailedLoads  int64
	Reconnects   int64

	Notifications int64 // that named a tenant
	Ignored       int64 // notifications that did not; somebody else sends on the channel

	Err error // why the last load or connection failed; nil after one that did not
}

// Staleness is how long ago the directory was last known to be current.
func (s Status) Staleness() time.Duration { return time.Since(s.Current) }

// Status returns how the directory is doing. It costs no query, and tells the last state after [Directory.Close].
func (d *Directory) Status() Status {
	s := d.status.read()
	current := d.current.Load()
	s.Hosts, s.Tenants = len(current.hosts), len(current.tenants)
	s.Disputed = int(d.disputed.Load())
	return s
}

// status is the part of a Status that is written down as it happens.
type status struct {
	mu sync.Mutex
	s  Status
}

func (s *status) read() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s
}

func (s *status) update(change func(s *Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.s)
}

func (s *status) loaded(full, current bool, start time.Time, err error) {
	s.update(func(s *Status) {
		switch s.Err = err; {
		case err != nil:
			s.FailedLoads++
		case full:
			s.FullLoads++
		default:
			s.PartialLoads++
		}
		if current && start.After(s.Current) {
			s.Current = start
		}
	})
}

func (s *status) checked(at time.Time) {
	s.update(func(s *Status) {
		if at.After(s.Current) {
			s.Current = at
		}
	})
}

func (s *status) connected() {
	s.update(func(s *Status) { s.Connected, s.Err, s.Reconnects = true, nil, s.Reconnects+1 })
}

func (s *status) disconnected(err error) {
	s.update(func(s *Status) { s.Connected, s.Err = false, err })
}

func (s *status) notified(ok bool) {
	s.update(func(s *Status) {
		if ok {
			s.Notifications++
		} else {
			s.Ignored++
		}
	})
}
