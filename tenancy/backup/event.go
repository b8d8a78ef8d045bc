package backup

import "github.com/oryne/pgtenant/tenancy"

// EventKind is a stage of a backup or restore.
type EventKind string

// The kinds of an [Event], in order.
const (
	EventStarted  EventKind = "started"  // the snapshot was taken, nothing was written yet
	EventRows     EventKind = "rows"     // a table is being copied; sent after each 64 MiB of CSV
	EventTable    EventKind = "table"    // a table was copied
	EventWritten  EventKind = "written"  // the file was written and will be read back
	EventVerified EventKind = "verified" // the file was read back and has a receipt: the tenant is backed up

	EventBuilding  EventKind = "building"  // restore: the schema is being created
	EventLoaded    EventKind = "loaded"    // restore: a table's rows were loaded
	EventChecking  EventKind = "checking"  // restore: all rows were loaded and read back; newer migrations follow
	EventSwitching EventKind = "switching" // restore: all checks passed; the switch follows
	EventRestored  EventKind = "restored"  // restore: the tenant was restored
)

// Event reports progress. Later versions may add kinds.
type Event struct {
	Kind   EventKind
	Tenant tenancy.Tenant
	Name   string // of the file in the store; empty where there is no store
	Table  string // of EventRows and EventTable
	Rows   int64  // of EventTable: in the table
	Bytes  int64  // of EventRows and EventTable: CSV bytes of the table so far
	Done   int    // number of copied or loaded tables
	Tables int    // number of all tables
}
