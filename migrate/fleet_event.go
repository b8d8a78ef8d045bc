package migrate

import "time"

// EventKind is the kind of an [Event].
type EventKind string

const (
	// EventPlanned says how many schemas are behind. It is sent again if more are found.
	EventPlanned EventKind = "planned"

	// EventStarted says that the work on a schema begins.
	EventStarted EventKind = "started"

	// EventFinished has the result of a schema, also of one that was not started.
	EventFinished EventKind = "finished"
)

// Event is a step in the progress of a run.
type Event struct {
	Kind     EventKind
	Schema   string // empty in EventPlanned
	Result   Result // in EventFinished
	Progress Progress
}

// Progress is how far a run has come.
type Progress struct {
	Total   int // schemas that were behind, as far as is known
	Done    int // of these, the schemas that are finished, with or without an error
	Failed  int // of these, the failures
	Elapsed time.Duration
}

// Rate returns how many schemas were done per second.
func (p Progress) Rate() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.Done) / p.Elapsed.Seconds()
}

// ETA returns how long the rest will take at this rate. It returns 0 if nothing is left, or if
// nothing is done yet.
func (p Progress) ETA() time.Duration {
	if p.Done == 0 || p.Done >= p.Total {
		return 0
	}
	return time.Duration(float64(p.Elapsed) / float64(p.Done) * float64(p.Total-p.Done))
}
