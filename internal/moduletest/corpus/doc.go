// Package corpus runs the tests of the module internal/corpustest.
package corpus
