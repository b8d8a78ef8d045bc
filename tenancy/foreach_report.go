package tenancy

// Outcome is what became of a tenant in [Manager.ForEach].
type Outcome string

const (
	Succeeded  Outcome = "succeeded"   // fn returned nil
	Failed     Outcome = "failed"      // fn returned an error, or did not return
	NotStarted Outcome = "not started" // the run was stopped before
)

// ForEachResult is what became of one tenant.
type ForEachResult struct {
	ID      int64
	Slug    string
	Outcome Outcome
	Err     error // of a tenant that failed; else nil
}

// ForEachReport is what became of the tenants of a [Manager.ForEach]. The zero value is a run over none.
type ForEachReport struct {
	// Results are in the order of the tenants' ids. After StopAfter they hold the tenants that were not started too; where
	// ctx has ended the registry cannot be asked, and there may be more than these.
	Results []ForEachResult

	// Stopped reports whether the run ended before every tenant was started. Next is then the [Filter].After of another
	// run over those that were not; tenants that failed are before it.
	Stopped bool
	Next    int64
}

// Count returns how many of the results have the outcome.
func (r ForEachReport) Count(o Outcome) (n int) {
	for _, result := range r.Results {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// Err returns a [ForEachError] if a tenant failed, else nil.
func (r ForEachReport) Err() error {
	for _, result := range r.Results {
		if result.Outcome == Failed {
			return &ForEachError{Failed: r.Count(Failed), Tenants: len(r.Results), First: result}
		}
	}
	return nil
}
