package audit

// Action names what was done. Programs may define their own: 1 to 64 characters of a-z, 0-9, "_"
// and ".".
type Action string

const (
	SchemaAccess     Action = "schema_access"     // an HTTP request, by [Log.Middleware]
	ExplicitSwitch   Action = "explicit_switch"   // code selected a schema explicitly
	Migration        Action = "migration"         // of a schema
	Create           Action = "create"            // of a tenant
	AssignStocked    Action = "claim"             // a stocked tenant was assigned
	Update           Action = "update"            // of a tenant's name, plan, limits or metadata
	Rename           Action = "rename"            // of a tenant
	Suspend          Action = "suspend"           // of a tenant
	Activate         Action = "activate"          // of a tenant
	Maintenance      Action = "maintenance"       // began or ended
	DomainChange     Action = "domain_change"     // a domain was added, claimed, verified, preferred, removed or moved
	DropRequested    Action = "drop_requested"    // a token was given out
	DropApproved     Action = "drop_approved"     // by a second person
	DropRefused      Action = "drop_refused"      // a request or a drop was refused
	DropStarted      Action = "drop_started"      // the drop begins
	DropStep         Action = "drop_step"         // a step of a drop was done or failed
	DropStopped      Action = "drop_stopped"      // a step of a drop failed
	DropDone         Action = "drop_done"         // the tenant is gone
	Backup           Action = "backup"            // of a tenant
	Restore          Action = "restore"           // of a tenant
	Export           Action = "export"            // of a tenant's data
	Erase            Action = "erase"             // of a person's data
	Login            Action = "login"             // of a user
	LoginFailed      Action = "login_failed"      // of a user
	PermissionDenied Action = "permission_denied" // by PostgreSQL, inside of a scope (42501)
	Configuration    Action = "configuration"     // was changed
)

// Actions of the log itself. [Log.Record] and the other methods refuse them.
const (
	LogOpened Action = "log_opened" // the first row of each chain; names the previous chain
	LogClosed Action = "log_closed" // the last row of a closed chain
	LogLost   Action = "log_lost"   // entries were dropped because the log was full
)

func (a Action) valid() bool {
	for i := range len(a) {
		if c := a[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' {
			return false
		}
	}
	return len(a) >= 1 && len(a) <= 64
}

func (a Action) reserved() bool { return a == LogOpened || a == LogClosed || a == LogLost }
