// Package browsertest tests the example in a real Chromium, without a window. The tests log in,
// create a school, import students, compare it with another school, and drop it. Scripts do not run
// in the pages, which do not need them.
//
// It is a separate module, so that the browser driver is in neither the go.mod nor the go.sum of
// programs that import pgtenant. With SCREENSHOTS=directory in the environment, the tests keep
// their screenshots there.
package browsertest
