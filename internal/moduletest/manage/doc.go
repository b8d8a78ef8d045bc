// Package manage runs the tests of the module tenancy/manage.
package manage
