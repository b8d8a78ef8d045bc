package resolver

import (
	"sync"
	"time"
)

// Status is the state of a [Directory], for metrics and health checks.
type Status struct {
	// Current is the time up to which memory is complete: everything committed before it is in memory.
	// With a working connection it is at most a [Config].KeepAlive ago.
	Current time.Time

	Connected bool // the listening connection is up
	Hosts     int  // known hosts, including public hosts and those under base domains
	Tenants   int  // in any status
	Conflicts int  // hosts that are [ErrAmbiguous], or public and also the domain of a tenant

	FullLoads    int64 // successful
	PartialLoads int64 // successful loads of changed tenants and of unknown hosts
	FailedLoads  int64
	Reconnects   int64

	Notifications int64 // that name a tenant
	Ignored       int64 // notifications that name none; another program sends on the channel

	Err error // why the last load or connection failed; nil if it succeeded
}

// Staleness returns the time since s.Current.
func (s Status) Staleness() time.Duration { return time.Since(s.Current) }

// Status returns the state of the directory. It costs no query. After [Directory.Close] it returns
// the last state.
func (d *Directory) Status() Status {
	s := d.status.read()
	current := d.current.Load()
	s.Hosts, s.Tenants = len(current.hosts), len(current.tenants)
	s.Conflicts = int(d.conflicts.Load())
	return s
}

// status is the part of a [Status] that is updated as events happen.
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
