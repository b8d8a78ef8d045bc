package admin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Action is one step of [Setup], [Harden], [Provision], [RevokeAccess], [RestoreAccess],
// [Deprovision] or [Rename], and its outcome.
type Action struct {
	What    string // the SQL, with names quoted and without passwords: `create schema "tenant_1"`
	Outcome ActionOutcome
	Err     error // why it was not possible; a [PrivilegeError] in the report of [Setup]
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
	// ActionDone is the outcome of an action that this run completed.
	ActionDone ActionOutcome = iota
	// ActionAlready is the outcome of an action that was not needed.
	ActionAlready
	// ActionImpossible is the outcome of an action that this login may not do. The object has stayed
	// as it was.
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

// changed reports whether any of the actions was completed by this run.
func changed(actions []Action) bool {
	for _, a := range actions {
		if a.Outcome == ActionDone {
			return true
		}
	}
	return false
}

// change is a change of the database that is made unless it is done already.
type change struct {
	what string   // the text in the report. Default: the first of sql
	sql  []string // statements without parameters
	done bool     // no change is needed
}

// name returns the text of the change in the report.
func (w change) name() string {
	if w.what != "" {
		return w.what
	}
	return w.sql[0]
}

// applyChanges runs the changes that are not done yet, in one round trip, and returns an action for
// each change.
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
