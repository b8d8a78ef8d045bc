package migrate

import (
	"maps"
	"slices"
	"time"
)

// state is the content of a version table.
type state struct {
	applied    []appliedVersion      // in the order in which they were applied
	sums       map[int64]string      // checksums of the versions that this package has applied
	compatible map[string]compatible // which older programs can work with the schema, by source
	half       *halfDone             // a migration without a transaction that has stopped; nil: none
	now        int64                 // the time of the transaction, as in the table
	absent     bool                  // there is no table, and maybe no schema
	empty      bool                  // the table has no row, not even that of version 0
	exposed    bool                  // roles other than the owner have privileges on the table
	noted      bool                  // the comment on the table is this package's or missing: it may be written
	start      sessionStart          // of the session that has read the table
}

// clone returns a copy that does not change with s.
func (s state) clone() state {
	s.applied = slices.Clone(s.applied)
	s.sums = maps.Clone(s.sums)
	return s
}

// appliedVersion is the latest row of a version.
type appliedVersion struct {
	version int64
	stamp   int64     // tstamp in microseconds, without a time zone
	at      time.Time // the same, in the session's time zone
}

func (s state) has(version int64) bool {
	for _, a := range s.applied {
		if a.version == version {
			return true
		}
	}
	return false
}

func (s state) newest() int64 {
	var version int64
	for _, a := range s.applied {
		version = max(version, a.version)
	}
	return version
}

func (s *state) forget(version int64) {
	for i, a := range s.applied {
		if a.version == version {
			s.applied = append(s.applied[:i:i], s.applied[i+1:]...)
			return
		}
	}
}

// did records steps that were done at the time of the state.
func (s *state) did(steps []step) {
	for _, st := range steps {
		s.empty = s.empty && st.dir == Down
		s.forget(st.m.version)
		if s.half != nil && s.half.Version == st.m.version {
			s.half = nil
		}
		delete(s.sums, st.m.version)
		if st.dir == Down {
			continue
		}
		s.applied = append(s.applied, appliedVersion{version: st.m.version, stamp: s.now})
		if st.m.checksum != "" && s.noted {
			s.sums[st.m.version] = st.m.checksum[:noteLen]
		}
	}
	s.compatible = declared(s.compatible, steps, s.has)
}
