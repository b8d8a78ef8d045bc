package backup

import "github.com/oryne/pgtenant/tenancy"

// EventKind is how far a backup is.
type EventKind string

// The kinds of an [Event], in their order.
const (
	EventStarted  EventKind = "started"  // the snapshot is taken, and nothing written yet
	EventRows     EventKind = "rows"     // of a table: it is being copied, after each 64 MiB of CSV
	EventTable    EventKind = "table"    // of a table: it has been copied
	EventWritten  EventKind = "written"  // all has been written; what follows is the reading back
	EventVerified EventKind = "verified" // the tenant is backed up

	EventBuilding  EventKind = "building"  // of a restore: the schema is being made
	EventLoaded    EventKind = "loaded"    // of a restore, and a table: its rows are in
	EventChecking  EventKind = "checking"  // of a restore: all rows are in and were read back; what follows are newer migrations
	EventSwitching EventKind = "switching" // of a restore: everything is known to be good, and about to be seen
	EventRestored  EventKind = "restored"  // the tenant is restored
)

// Event is progress. Kinds may be added.
type Event struct {
	Kind   EventKind
	Tenant tenancy.Tenant
	Name   string // of the file in the store; empty where there is no store
	Table  string // of EventRows and EventTable
	Rows   int64  // of EventTable: in the table
	Bytes  int64  // of EventRows and EventTable: CSV of the table until now
	Done   int    // tables that have been copied
	Tables int    // of so many
}
