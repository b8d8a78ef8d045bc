package migrate

import "time"

// EventKind is what an [Event] tells.
type EventKind string

const (
	// EventPlanned tells that it is known how many schemas are behind. It comes again when more were
	// found.
	EventPlanned EventKind = "planned"

	// EventStarted tells that the work on a schema begins.
	EventStarted EventKind = "started"

	// EventFinished tells what came of a schema, also of one that is not started.
	EventFinished EventKind = "finished"
)

// Event tells how a run goes on.
type Event struct {
	Kind     EventKind
	Schema   string // empty in EventPlanned
	Result   Result // in EventFinished
	Progress Progress
}

// Progress is how far a run has come.
type Progress struct {
	Total   int // schemas that were behind, as far as is known
	Done    int // of them, those that have ended, well or not
	Failed  int // of those, the failures
	Elapsed time.Duration
}

// Rate returns how many schemas were done in a second.
func (p Progress) Rate() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.Done) / p.Elapsed.Seconds()
}

// ETA returns how long the rest will take at this rate. Zero: nothing is left, or nothing is known.
func (p Progress) ETA() time.Duration {
	if p.Done == 0 || p.Done >= p.Total {
		return 0
	}
	return time.Duration(float64(p.Elapsed) / float64(p.Done) * float64(p.Total-p.Done))
}
