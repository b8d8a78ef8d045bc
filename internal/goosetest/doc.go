// Package goosetest has the tests that run goose itself beside package migrate. For one schema both
// must report the same versions, and in one file they must find the same statements.
//
// It is a separate module, so that goose and its dependencies are in neither the go.mod nor the
// go.sum of programs that import pgtenant.
package goosetest
