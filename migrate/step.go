package migrate

import (
	"context"
	"fmt"
	"math"
)

// Direction is which way a migration is run.
type Direction string

const (
	// Up applies a migration.
	Up Direction = "up"

	// Down undoes one.
	Down Direction = "down"
)

// Newest stands for the newest version that the sources have.
const Newest int64 = math.MaxInt64

// step is one migration to run.
type step struct {
	m   *migration
	dir Direction
	ran bool // its statements have run; only the version table has to be written
}

func (st step) noTx() bool {
	switch {
	case st.ran:
		return false
	case st.dir == Down:
		return st.m.noTxDown
	}
	return st.m.noTx
}

func (st step) isGo() bool { return st.m.kind == KindGo }

func (st step) statements() []statement {
	switch {
	case st.ran:
		return nil
	case st.dir == Down:
		return st.m.down
	}
	return st.m.up
}

// stepSelector chooses the migrations to run in one schema. It is called again under each lock.
type stepSelector interface {
	// steps returns the steps that are left for a schema in the state s.
	steps(t target, s state) ([]step, error)
	// after returns the selector for the rest when some of the steps are done, or nil if nothing is
	// left.
	after(done []step) stepSelector
}

// checker is a stepSelector that checks more than the versions, in the transaction of its steps.
type checker interface {
	check(ctx context.Context, s *session) error
}

// upTo applies the pending migrations up to a version.
type upTo struct{ version int64 }

func (g upTo) after([]step) stepSelector { return g }

func (g upTo) steps(t target, s state) ([]step, error) {
	var steps []step
	for _, m := range t.set {
		if m.version <= g.version && !s.has(m.version) {
			steps = append(steps, step{m: m, dir: Up})
		}
	}
	if t.cfg.OutOfOrder == Allow {
		return steps, nil
	}
	for _, st := range steps {
		if newest := s.newestOf(t.set, st.m.source); st.m.version < newest {
			return nil, fmt.Errorf("%w: %s/%s, and %d is applied", ErrOutOfOrder, st.m.source, st.m.file, newest)
		}
	}
	return steps, nil
}

// newestOf returns the newest applied version of a source.
func (s state) newestOf(all set, source string) int64 {
	var newest int64
	for _, a := range s.applied {
		if m := all.find(a.version); m != nil && m.source == source {
			newest = max(newest, a.version)
		}
	}
	return newest
}

// downTo undoes the migrations that are newer than a version, the last applied first.
type downTo struct{ version int64 }

func (g downTo) after([]step) stepSelector { return g }

func (g downTo) steps(t target, s state) ([]step, error) {
	var steps []step
	for i := len(s.applied) - 1; i >= 0; i-- {
		if s.applied[i].version > g.version {
			steps = append(steps, step{m: t.set.find(s.applied[i].version), dir: Down})
		}
	}
	return steps, nil
}

// downLast undoes the migration that was applied last.
type downLast struct{}

func (downLast) after([]step) stepSelector { return nil }

func (downLast) steps(t target, s state) ([]step, error) {
	if len(s.applied) == 0 {
		return nil, nil
	}
	return []step{{m: t.set.find(s.applied[len(s.applied)-1].version), dir: Down}}, nil
}

// redoLast undoes the migration that was applied last and applies it again.
type redoLast struct{}

func (redoLast) after(done []step) stepSelector {
	if len(done) == 1 {
		return upOne{done[0].m}
	}
	return nil
}

func (redoLast) steps(t target, s state) ([]step, error) {
	steps, err := downLast{}.steps(t, s)
	if len(steps) == 1 {
		steps = append(steps, step{m: steps[0].m, dir: Up})
	}
	return steps, err
}

// upOne is the second half of a redo.
type upOne struct{ m *migration }

func (upOne) after([]step) stepSelector { return nil }

func (g upOne) steps(_ target, s state) ([]step, error) {
	if s.has(g.m.version) {
		return nil, nil
	}
	return []step{{m: g.m, dir: Up}}, nil
}

// next returns the steps that g has left in a schema, or why no migration may be run.
func (t target) next(g stepSelector, s state) ([]step, error) {
	applied := t.checkApplied(s)
	if up, ok := g.(upTo); ok && applied.compatible && len(t.pending(s)) == 0 && up.version == Newest {
		return nil, nil // a newer program has migrated the schema and permits this one to use it
	}
	if err := t.refusal(applied); err != nil {
		return nil, err
	}
	steps, err := g.steps(t, s)
	if err != nil {
		return nil, t.wrap(err)
	}
	for _, st := range steps {
		switch {
		case st.dir == Down && !st.m.hasDown:
			return nil, t.wrap(fmt.Errorf("%w: %s/%s", ErrNoDown, st.m.source, st.m.file))
		case t.cfg.Lock == LockTable && st.noTx():
			return nil, t.wrap(fmt.Errorf("%w: %s/%s", ErrNeedsSession, st.m.source, st.m.file))
		}
	}
	return steps, t.checkPrologue(steps)
}
