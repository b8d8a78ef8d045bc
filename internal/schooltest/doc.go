// Package schooltest is the fixture of the examples of packages tenancy, tenanthttp and
// tenanttoken: a platform with two schools. It is test code: its functions panic on an error.
package schooltest
