// Package goosetest holds the tests that run the real goose beside package migrate: on one schema both
// must see the same versions, and in one file the same statements.
//
// It is a module of its own, so that goose and what it brings reach neither the go.mod nor the go.sum of
// those who import pgtenant.
package goosetest
