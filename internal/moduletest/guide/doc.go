// Package guide runs the tests of the module internal/guidetest.
package guide
