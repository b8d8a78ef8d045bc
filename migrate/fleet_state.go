package migrate

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
)

// SchemaState is the state of one schema of a fleet.
type SchemaState struct {
	Schema  string
	Outcome Outcome // [Current], [Behind], [NewerCompatible], [Unregistered], or why [Runner.UpAll] would not change it
	Version int64   // the newest applied version; 0: none
	Pending []int64 // versions; the slice is shared with other schemas, do not change it
	Edited  []int64 // applied versions whose files have changed since, with either value of [Config.Changed]
	Err     error   // why no migration may be run, or nil
}

// Fleet yields the state of each schema of list, in its order, and at the end the schemas with a
// version table that are not on the list ([Unregistered]). It changes nothing.
//
// It reads a few hundred schemas at a time with two queries. Their cost does not depend on the
// number of other schemas. Two connections of the pool are in use until the sequence ends, also in
// the body of the loop. In memory are four bytes for each current schema, and the names of the
// others. An error of the list or of the connection is the last element.
func (r *Runner) Fleet(ctx context.Context, list List) iter.Seq2[SchemaState, error] {
	return func(yield func(SchemaState, error) bool) {
		s := &survey{r: r, lines: r.lineages(), seen: newSeenSchemas()}
		err := s.each(ctx, list, func(m *member) error {
			if s.seen.add(m) && !yield(m.state(), nil) {
				return errLoopEnded
			}
			return nil
		})
		if err == nil {
			err = s.unregistered(ctx, list, func(schema string) error {
				if !yield(SchemaState{Schema: schema, Outcome: Unregistered}, nil) {
					return errLoopEnded
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errLoopEnded) {
			yield(SchemaState{}, err)
		}
	}
}

// States returns the states of schemas, in their order, as [Runner.Fleet] does. It does not look
// for unregistered schemas. A schema that is named twice is returned once.
func (r *Runner) States(ctx context.Context, schemas ...string) ([]SchemaState, error) {
	var states []SchemaState
	s := &survey{r: r, lines: r.lineages(), seen: newSeenSchemas()}
	err := s.each(ctx, Schemas(schemas...), func(m *member) error {
		if s.seen.add(m) {
			states = append(states, m.state())
		}
		return nil
	})
	return states, err
}

// errLoopEnded ends a survey because the caller has left its loop.
var errLoopEnded = errors.New("the loop has ended")

func (m *member) state() SchemaState {
	st := SchemaState{Schema: m.schema, Outcome: m.outcome(), Edited: m.edited, Err: m.err}
	if m.line != nil {
		st.Version, st.Pending = m.line.state.newest(), m.line.pending
	}
	return st
}

// unregistered calls visit for each unregistered schema: it has a version table, is not on the
// list, and no session is working on it. If there are any, it reads the list again, because a
// schema may have been added meanwhile.
func (s *survey) unregistered(ctx context.Context, list List, visit func(schema string) error) error {
	found, err := s.unmet(ctx)
	if err == nil && len(found) > 0 {
		found, err = s.r.idleSchemas(ctx, found)
	}
	if err != nil || len(found) == 0 {
		return err
	}
	for name, err := range list(ctx) {
		if err != nil {
			return err
		}
		delete(found, name)
	}
	for _, schema := range slices.Sorted(maps.Keys(found)) {
		if err := visit(schema); err != nil {
			return err
		}
	}
	return nil
}
