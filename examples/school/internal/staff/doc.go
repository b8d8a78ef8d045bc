// Package staff authenticates the platform's staff with a password and a one-time code. A session
// ends at logout or when it expires.
//
// The members are users of the registry ([platformuser.Store]). Two tables in the schema public
// hold the rest; only the owner login can read them. One has the sessions, as hashes. The other has
// the secrets of one-time codes, encrypted with a key that is not in the database.
//
// A refused login does not reveal whether the user exists, or whether the password or the code was
// wrong, neither by its text nor by the time that it takes.
package staff
