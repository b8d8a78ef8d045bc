package migrate

import (
	"context"
	"fmt"
)

// baseline writes down what is there already.
type baseline struct{ version int64 }

func (baseline) after([]step) stepSelector { return nil }

func (g baseline) steps(t target, s state) ([]step, error) {
	var steps []step
	there := 0
	for _, m := range t.set {
		if m.version > g.version {
			continue
		}
		steps = append(steps, step{m: m, dir: Up, ran: true})
		if s.has(m.version) {
			there++
		}
	}
	switch len(s.applied) {
	case 0:
		return steps, nil
	case there:
		if there == len(steps) {
			return nil, nil // it was run before
		}
	}
	return nil, fmt.Errorf("%w: up to %d", ErrVersioned, s.newest())
}

// Baseline writes down all migrations up to version, and that one, as applied, without running
// them: for a schema that had its tables before it had versions. It does not look at the tables;
// compare the schema with one that was migrated before trusting it. [Newest] is all that the
// sources have.
//
// It is one transaction, and can be run again. A schema in which anything else is applied is
// [ErrVersioned], a version that the sources do not have [ErrNoMigration], both with nothing
// written; other errors are those of [Runner.Up]. The versions are in the Applied of the result.
func (r *Runner) Baseline(ctx context.Context, schema string, version int64) (Result, error) {
	return r.reach(ctx, schema, baseline{version})
}
