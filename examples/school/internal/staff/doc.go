// Package staff lets the people in who run the platform: with a password and a one-time code, for a
// session that ends when they say so.
//
// Who they are is in the registry ([platformuser.Store]). What logging in needs beside that is in
// two tables of its own in the schema public, which the owner's login alone can read: sessions, of
// which no more is kept than a hash, and the secrets of one-time codes, encrypted under a key that
// is not in the database.
//
// An answer does not tell whether there is such a person, whether it was the password or the code
// that was wrong, or, by the time that it takes, either of that.
package staff
