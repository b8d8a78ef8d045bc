package metrics

// cell is the index of a counter in an account.
type cell int

// The cells. Statements use only the first statementCells. Classes, decisions, status classes and
// buckets take a range of cells each.
const (
	cellStatements    cell = iota
	cellUnits              // of work
	cellWait               // for a connection, in nanoseconds
	cellAttempts           // statements refused with 42501 inside of a scope
	cellEscapes            // statements that would have changed their scope or session
	cellSwitches           // explicit switches
	cellLoginFailures      // of people
	cellErrors             // of statements; one for each of errorClasses
	cellDecisions     = cellErrors + cell(errorClassCount)
	cellRequests      = cellDecisions + decisions // one for each of statusClassNames
	cellDuration      = cellRequests + statusClasses
	cellBuckets       = cellDuration + 1 // of the duration of requests, not cumulative; the last is +Inf
)

const (
	statementCells = 3
	decisions      = 3
	statusClasses  = 6
)
