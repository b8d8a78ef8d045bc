// Package school runs the tests of the module examples/school.
package school
