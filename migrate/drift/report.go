package drift

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrDrift is returned by [Report.Err] if a schema differs or could not be compared.
var ErrDrift = errors.New("schemas are not what their migrations make")

// Report is the result of [Check]. It can be marshalled to JSON.
type Report struct {
	Results []Result `json:"results"` // of the schemas that are not equal
	Checked int      `json:"checked"` // number of schemas
	Equal   int      `json:"equal"`   // of these
	// Edited is the number of schemas, equal or not, in which files of applied migrations were edited
	// since.
	Edited    int           `json:"edited"`
	Reference string        `json:"reference"` // the hash of what they were compared with
	Duration  time.Duration `json:"duration"`  // in nanoseconds, with the time to create the reference
}

// Add adds the result of one schema, for callers of [Each].
func (r *Report) Add(result Result) {
	r.Checked++
	if len(result.Edited) > 0 {
		r.Edited++
	}
	if result.State == Equal {
		r.Equal++
		return
	}
	r.Results = append(r.Results, result)
}

// Err returns nil if all schemas are equal, or else an error that wraps [ErrDrift], with the number
// of schemas that are not equal and the first of them.
func (r Report) Err() error {
	if len(r.Results) == 0 {
		return nil
	}
	first := r.Results[0]
	what := first.Err
	if what == nil {
		what = fmt.Errorf("schema %q: %s", first.Schema, first.Differences[0])
	}
	return fmt.Errorf("%w: %d of %d, the first: %w", ErrDrift, len(r.Results), r.Checked, what)
}

// String returns the report as text: a line for each schema that is not equal, followed by a line
// for each of its differences. The line of a schema that could not be compared has the error.
func (r Report) String() string {
	var b strings.Builder
	for _, result := range r.Results {
		if result.Err != nil {
			fmt.Fprintf(&b, "%s: %s: %v\n", result.Schema, result.State, result.Err)
			continue
		}
		fmt.Fprintf(&b, "%s: %d different\n", result.Schema, len(result.Differences))
		for _, d := range result.Differences {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	fmt.Fprintf(&b, "%d of %d schemas are equal\n", r.Equal, r.Checked)
	if r.Edited > 0 {
		fmt.Fprintf(&b, "%d have migrations whose files were edited since\n", r.Edited)
	}
	return b.String()
}

// MarshalJSON returns the result as JSON, with the error as text.
func (r Result) MarshalJSON() ([]byte, error) {
	out := struct {
		Schema      string       `json:"schema"`
		State       State        `json:"state"`
		Differences []Difference `json:"differences,omitempty"`
		Edited      []int64      `json:"edited,omitempty"`
		Error       string       `json:"error,omitempty"`
	}{Schema: r.Schema, State: r.State, Differences: r.Differences, Edited: r.Edited}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	return json.Marshal(out)
}
