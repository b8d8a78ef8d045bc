package audit

// Action is what was done. A program may have actions of its own: 1 to 64 of a-z, 0-9, "_" and ".".
type Action string

const (
	SchemaAccess     Action = "schema_access"     // a request on a tenant's site, by [Log.Middleware]
	ExplicitSwitch   Action = "explicit_switch"   // code named a schema by hand
	Migration        Action = "migration"         // of a schema
	Create           Action = "create"            // of a tenant
	Claim            Action = "claim"             // of a tenant from the stock
	Update           Action = "update"            // of a tenant's name, plan, limits or metadata
	Rename           Action = "rename"            // of a tenant
	Suspend          Action = "suspend"           // of a tenant
	Activate         Action = "activate"          // of a tenant
	Maintenance      Action = "maintenance"       // began or ended
	DomainChange     Action = "domain_change"     // a domain was added, claimed, verified, preferred, removed or moved
	DropRequested    Action = "drop_requested"    // a token was given out
	DropApproved     Action = "drop_approved"     // by a second pair of eyes
	DropRefused      Action = "drop_refused"      // whatever was asked for
	DropStarted      Action = "drop_started"      // the tenant goes now
	DropStep         Action = "drop_step"         // a part of a drop was done, or failed
	DropStopped      Action = "drop_stopped"      // at a step that failed
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

// Actions of the log itself, which are refused from others.
const (
	LogOpened Action = "log_opened" // the first row of each chain: names the chain before it
	LogClosed Action = "log_closed" // the last row of a chain that was closed
	LogLost   Action = "log_lost"   // entries were dropped, as the log could take no more
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
