package drift

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
)

// statesChunk is how many schemas' version tables are read at a time.
const statesChunk = 250

// stateReader reads the states of schemas from their version tables, a chunk at a time.
type stateReader struct {
	r       *migrate.Runner
	schemas []string // that are not read yet
	states  map[string]migrate.SchemaState
}

// of returns the state of a schema. It must be called for schemas in the order of the list.
func (s *stateReader) of(ctx context.Context, schema string) (migrate.SchemaState, error) {
	for {
		if state, ok := s.states[schema]; ok || len(s.schemas) == 0 {
			return state, nil
		}
		n := min(len(s.schemas), statesChunk)
		states, err := s.r.States(ctx, s.schemas[:n]...)
		if err != nil {
			return migrate.SchemaState{}, err
		}
		s.schemas, s.states = s.schemas[n:], make(map[string]migrate.SchemaState, n)
		for _, state := range states {
			s.states[state.Schema] = state
		}
	}
}

// judge adds to the result what the version table of the schema says.
func (s *stateReader) judge(ctx context.Context, result *Result) error {
	state, err := s.of(ctx, result.Schema)
	if err != nil {
		return err
	}
	result.Edited = state.Edited
	switch {
	case state.Outcome == migrate.UnknownVersion, state.Outcome == migrate.NewerCompatible:
		result.State, result.Differences, result.Err = Newer, nil, fmt.Errorf(
			"migrate schema %q: %w",
			result.Schema,
			migrate.ErrUnknownVersion,
		)
	case state.Outcome == migrate.Edited && result.State == Equal:
		result.State, result.Err = Edited, state.Err
	}
	return nil
}
