// Package attacktest tries what one tenant can do to another at every level of isolation, on a real
// PostgreSQL. It compares the outcomes with schemactx/ATTACKS.md.
//
// It is separate from package schemactx because it takes as long as all other tests of schemactx
// together, and go test stops a package that takes more than ten minutes.
package attacktest
