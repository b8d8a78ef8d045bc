package migrate

import (
	"context"
	"fmt"
)

// baseline records migrations whose objects exist already.
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
			return nil, nil // an earlier Baseline has recorded them
		}
	}
	return nil, fmt.Errorf("%w: up to %d", ErrVersioned, s.newest())
}

// Baseline records all migrations up to and including version as applied, without running them. It
// is for a schema that had its tables before it had versions. [Newest] means all migrations of the
// sources. Baseline does not look at the tables, so compare the schema with a migrated one before
// you rely on it.
//
// Baseline is one transaction and can be run again. The error is [ErrVersioned] if any other
// version is applied, and [ErrNoMigration] if the sources do not have version, both with nothing
// recorded. The other errors are those of [Runner.Up]. Result.Applied has the versions.
func (r *Runner) Baseline(ctx context.Context, schema string, version int64) (Result, error) {
	return r.reach(ctx, schema, baseline{version})
}
