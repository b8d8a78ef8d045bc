// Package schooltest is what the examples of packages tenancy, tenanthttp and tenanttoken begin
// with: a platform with two schools. It is test code: its functions panic when they fail.
package schooltest
