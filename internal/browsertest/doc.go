// Package browsertest uses the example as people do: a real Chromium, without a window, logs in,
// makes a school, fills it, compares it with another one, and drops it. Scripts do not run in the
// pages, and need not.
//
// It is a module of its own, so that what drives the browser reaches neither the go.mod nor the
// go.sum of those who import pgtenant. With SCREENSHOTS=directory in the environment the pictures
// that it takes are kept there.
package browsertest
