// Package attacktest tries what one tenant may do to another at every level of isolation, on a real
// PostgreSQL, and compares what came of it with schemactx/ATTACKS.md.
//
// It is a package of its own, apart from schemactx, because it takes as long as all other tests of
// schemactx together, and go test ends a package that takes more than ten minutes.
package attacktest
