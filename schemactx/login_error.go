package schemactx

import "fmt"

// LoginKind says what a login is that should not be used.
type LoginKind string

// The kinds of logins in a [LoginError].
const (
	LoginSuperuser LoginKind = "a superuser"
	LoginOwner     LoginKind = "the owner"
	LoginRuntime   LoginKind = "the runtime login"
	LoginOther     LoginKind = "another role" // than any of the others
)

// LoginError says that a pool is logged in as a role that is not the one its work needs. Nothing
// was made with it. It is returned by [New] for the owner, by the methods of [DB] for the owner and
// for superusers, and by package tenancy.
type LoginError struct {
	Login string // the role that the pool is logged in as
	Kind  LoginKind
	Want  string // the role that it should be logged in as

	// Missing is whether Want is known not to exist: Setup has not run in this database, or with
	// other names.
	Missing bool
}

// Error returns the login, the login that is needed, and how to make it.
func (e *LoginError) Error() string {
	is := fmt.Sprintf("logged in as %s, %q, and not as %q", e.Kind, e.Login, e.Want)
	if e.Missing {
		return is + ", which does not exist: first run schemactx/admin.Setup with an administrator's login " +
			"(programs with the commands of package manage: init), or set Roles to the names of the roles that Setup has made"
	}
	return is + ": use the URL of that login, which schemactx/admin.Setup " +
		"(programs with the commands of package manage: init) makes and gives its password"
}

// checkLogin refuses logins that a scope does not restrict. The server reports superuser, which is
// "on" or "off", and login when a connection is made. Both are empty behind a pooler that does not
// forward them.
func (db *DB) checkLogin(superuser, login string) error {
	want := db.cfg.Roles.Runtime()
	switch {
	case db.cfg.Level == PathOnly || login == want:
		return nil // Check judges what is wrong with the right login
	case superuser == "on":
		return &LoginError{Login: login, Kind: LoginSuperuser, Want: want}
	case login == db.cfg.Roles.Owner():
		return &LoginError{Login: login, Kind: LoginOwner, Want: want}
	}
	return nil
}
