// Package erp runs the tests of the module erp.
package erp
