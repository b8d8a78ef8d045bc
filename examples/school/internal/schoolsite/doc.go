// Package schoolsite is what a school's own host shows to people: students, classes and fees, to
// look up.
//
// It knows no school. The host of a request has said which one it is, package erp decides what who
// is logged in may see, and all pages look the same: what differs between two hosts is what is in
// their schemas.
package schoolsite
