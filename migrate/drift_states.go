package migrate

import "context"

// stateReader reads where the schemas of a drift stand, a chunk ahead of the results.
type stateReader struct {
	r       *Runner
	schemas []string // that are not read yet
	states  map[string]SchemaState
}

// of returns the state of a schema. Schemas are asked for in the order of the list.
func (s *stateReader) of(ctx context.Context, schema string) (SchemaState, error) {
	for {
		if state, ok := s.states[schema]; ok || len(s.schemas) == 0 {
			return state, nil
		}
		n := min(len(s.schemas), surveyChunk)
		states, err := s.r.States(ctx, s.schemas[:n]...)
		if err != nil {
			return SchemaState{}, err
		}
		s.schemas, s.states = s.schemas[n:], make(map[string]SchemaState, n)
		for _, state := range states {
			s.states[state.Schema] = state
		}
	}
}

// judge enters what the version table says of a schema that was compared.
func (s *stateReader) judge(ctx context.Context, result *DriftResult) error {
	state, err := s.of(ctx, result.Schema)
	if err != nil {
		return err
	}
	result.Edited = state.Edited
	switch {
	case state.Outcome == UnknownVersion, state.Outcome == NewerCompatible:
		t := target{schema: result.Schema}
		result.State, result.Differences, result.Err = DriftNewer, nil, t.wrap(ErrUnknownVersion)
	case state.Outcome == Edited && result.State == DriftNone:
		result.State, result.Err = DriftEdited, state.Err
	}
	return nil
}
