package admin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Action is one thing that [Setup], [Provision] or their like wants to be so, and what became of
// it.
type Action struct {
	What    string // as SQL says it, with names quoted and without passwords: `create schema "tenant_1"`
	Outcome ActionOutcome
	Err     error // a [PrivilegeError] if the server refused it to [Setup]; else nil
}

// String returns the action as one line for a log.
func (a Action) String() string {
	line := a.What + ": " + a.Outcome.String()
	if a.Err != nil {
		line += ": " + a.Err.Error()
	}
	return line
}

// ActionOutcome says how an [Action] ended.
type ActionOutcome int

const (
	// ActionDone is what was changed now.
	ActionDone ActionOutcome = iota
	// ActionAlready is what was so before.
	ActionAlready
	// ActionImpossible is what this login may not change. It has stayed as it was.
	ActionImpossible
)

// String returns the outcome in words.
func (o ActionOutcome) String() string {
	switch o {
	case ActionDone:
		return "done"
	case ActionAlready:
		return "already set"
	case ActionImpossible:
		return "not possible"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// changed reports whether any of the actions was done now.
func changed(actions []Action) bool {
	for _, a := range actions {
		if a.Outcome == ActionDone {
			return true
		}
	}
	return false
}

// wish is something that has to be so.
type change struct {
	what string   // for the report. Default: the first of sql
	sql  []string // without parameters
	done bool     // it is so already
}

// name is the wish in the report.
func (w change) name() string {
	if w.what != "" {
		return w.what
	}
	return w.sql[0]
}

// fulfil makes so what is not, all in one round trip, and reports every one.
func applyChanges(ctx context.Context, tx pgx.Tx, changes []change) ([]Action, error) {
	var statements []string
	actions := make([]Action, len(changes))
	for i, s := range changes {
		actions[i].What = s.name()
		if s.done {
			actions[i].Outcome = ActionAlready
			continue
		}
		statements = append(statements, s.sql...)
	}
	if len(statements) == 0 {
		return actions, nil
	}
	return actions, execAll(ctx, tx, statements...)
}
