package migrate

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
)

// SchemaState is where one schema of a fleet stands.
type SchemaState struct {
	Schema  string
	Outcome Outcome // [Current], [Behind], [NewerCompatible], [Unregistered], or why [Runner.UpAll] would not touch it
	Version int64   // the newest that is applied; 0: none
	Pending []int64 // versions; shared with other schemas: not to be changed
	Edited  []int64 // versions that are applied and whose files are others now, whatever [Config.Changed] makes of it
	Err     error   // why nothing may be done, or nil
}

// Fleet goes over the schemas of list, in its order, and says where each stands: those of the tenant set that are
// behind, and those that [Runner.UpAll] would not touch. At the end it tells of strays. It changes nothing and
// reads a few hundred schemas at a time, in two queries whose cost does not grow with the number of other schemas. Two
// connections of the pool are in use while it goes on, also in the body of the loop. Only names in trouble and four
// bytes of each other schema are kept. A last error is that of the list or the connection.
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
			err = s.strays(ctx, list, func(schema string) error {
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

// States says where some schemas stand, in their order, as [Runner.Fleet] does for a list of all: strays are not looked
// for. A schema that is named twice is returned once.
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

// errEnough ends a loop whose body has left it.
var errLoopEnded = errors.New("the loop has ended")

func (m *member) state() SchemaState {
	st := SchemaState{Schema: m.schema, Outcome: m.outcome(), Edited: m.edited, Err: m.err}
	if m.line != nil {
		st.Version, st.Pending = m.line.state.newest(), m.line.pending
	}
	return st
}

// strays calls visit for each schema with a version table that was not met and that no session is at work on. Where
// there are any the list is read again: one may have been made meanwhile.
func (s *survey) strays(ctx context.Context, list List, visit func(schema string) error) error {
	found, err := s.unmet(ctx)
	if err == nil && len(found) > 0 {
		found, err = s.r.dropBusy(ctx, found)
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
