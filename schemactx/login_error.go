package schemactx

import "fmt"

// LoginKind is the kind of a login that must not be used.
type LoginKind string

// The kinds of logins in a [LoginError].
const (
	LoginSuperuser LoginKind = "a superuser"
	LoginOwner     LoginKind = "the owner"
	LoginRuntime   LoginKind = "the runtime login"
	LoginOther     LoginKind = "another role" // none of the above
)

// LoginError says that a pool's login is not the role that the work needs. Nothing was created with
// it. [New] returns it for the owner, the methods of [DB] return it for the owner and for
// superusers, and package tenancy returns it.
type LoginError struct {
	Login string // the role that the pool logs in as
	Kind  LoginKind
	Want  string // the role that it should log in as

	// Missing is true if Want is known not to exist: Setup has not run in this database, or ran with
	// other names.
	Missing bool
}

// Error returns the login, the login that is needed, and how to create it.
func (e *LoginError) Error() string {
	is := fmt.Sprintf("logged in as %s, %q, and not as %q", e.Kind, e.Login, e.Want)
	if e.Missing {
		return is + ", which does not exist: first run schemactx/admin.Setup with an administrator's login " +
			"(programs with the commands of package manage: init), or set Roles to the names of the roles that Setup has made"
	}
	return is + ": use the URL of that login, which schemactx/admin.Setup " +
		"(programs with the commands of package manage: init) makes and gives its password"
}

// checkLogin refuses logins that a scope does not restrict. The server reports superuser ("on" or
// "off") and login when a connection is opened. Both are empty behind a pooler that does not
// forward them.
func (db *DB) checkLogin(superuser, login string) error {
	want := db.cfg.Roles.Runtime()
	switch {
	case db.cfg.Level == PathOnly || login == want:
		return nil // admin.Check reports problems of the right login
	case superuser == "on":
		return &LoginError{Login: login, Kind: LoginSuperuser, Want: want}
	case login == db.cfg.Roles.Owner():
		return &LoginError{Login: login, Kind: LoginOwner, Want: want}
	}
	return nil
}
