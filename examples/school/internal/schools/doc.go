// Package schools creates schools for the console and for sign-up: a tenant with its plan and its
// first administrator.
package schools
