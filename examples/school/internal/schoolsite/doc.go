// Package schoolsite serves the pages of a school's own host: students, classes and fees.
//
// The package does not depend on the school. The host of the request selects the school, and
// package erp decides what the user may see. Two hosts therefore differ only in the data of their
// schemas.
package schoolsite
