// Package schools makes schools, for the console as for whoever signs up: a tenant with its plan
// and its first administrator, or nothing.
package schools
