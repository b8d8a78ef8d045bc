// Package sqlstate has the error codes of PostgreSQL that the packages of this module act on.
package sqlstate
