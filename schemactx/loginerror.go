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

// LoginError says that a pool is logged in as another role than its work needs. Nothing has been made with it. It is
// returned by [New] for the owner, by the methods of [DB] for the owner and for superusers, and by package tenancy.
type LoginError struct {
	Login string // the role that the pool is logged in as
	Kind  LoginKind
	Want  string // the role that it should be logged in as

	// Missing is whether Want is known not to exist: Setup has not run in this database, or with other names.
	Missing bool
}

// Error returns which login it is, which it should be, and what makes that.
func (e *LoginError) Error() string {
	is := fmt.Sprintf("logged in as %s, %q, and not as %q", e.Kind, e.Login, e.Want)
	if e.Missing {
		return is + ", which does not exist: run schemactx.Setup with an administrator's login first, as the command init does, " +
			"or set Roles to the names of the roles that it has made"
	}
	return is + ": use the URL of that login, which schemactx.Setup makes, as the command init does, and gives its password"
}

// checkLogin refuses logins that no scope keeps from anything. The server reports superuser and login when a
// connection is made; a pooler that does not pass that on leaves both empty.
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
