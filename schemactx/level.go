package schemactx

import "fmt"

// Level is how strongly tenants are isolated: what a scope sets and who logs in.
type Level int

const (
	// Roles sets the search path and a role with privileges in the tenant's schema only. So PostgreSQL
	// also refuses names qualified with another tenant's schema. It is the default. A tenant who
	// controls the text of a statement can take another tenant's role in it, unless admin.Harden has
	// prevented that.
	Roles Level = iota
	// PathOnly sets the search path only. It prevents accidents with unqualified names and nothing
	// else: by qualified name, every tenant can read whatever the login can read.
	PathOnly
	// Logins gives each tenant a small pool of its own that logs in as the tenant's role, which can
	// take no other role. It also stops a tenant who controls whole statements. The cost is one pool
	// for each active tenant. Its sessions begin in the tenant's schema, so a statement needs no scope
	// before it.
	Logins
)

// String returns the level's name.
func (l Level) String() string {
	switch l {
	case Roles:
		return "Roles"
	case PathOnly:
		return "PathOnly"
	case Logins:
		return "Logins"
	}
	return fmt.Sprintf("Level(%d)", int(l))
}
