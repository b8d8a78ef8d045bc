package schemactx

import "fmt"

// Level says what a scope sets, and so what stands between two tenants.
type Level int

const (
	// Roles sets the search path and a role that has rights in the tenant's schema and nowhere else,
	// so that PostgreSQL refuses names qualified with another tenant's schema too. It is the default.
	// A tenant who controls the text of statements can take another tenant's role inside one, unless
	// admin.Harden has closed the ways to do so.
	Roles Level = iota
	// PathOnly sets the search path alone. It stops accidents with unqualified names and nothing else:
	// whatever the login may read, every tenant may read by qualified name.
	PathOnly
	// Logins gives each tenant a small pool of its own, logged in as the tenant's role, which can
	// become no other. It stops a tenant who controls whole statements too, for the price of a pool
	// for each tenant that is active. Its sessions begin in the tenant's schema, so that a statement
	// needs nothing in front of it.
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
