// Package moduletest runs the tests of modules below the root as tests of the root, because ./...
// leaves out nested modules. Each directory below it is a package with the test of one module of
// go.work.
//
//	go test ./...                          // all tests, those of the modules of go.work too
//	go test ./tenancy/backup -run Restore  // tests of such a module, run directly
//
// [Run] calls go test in the directory of the module. Each test and subtest of the module is a
// subtest with the same result; its output is shown if it fails, and always with -v. The flags
// -race, -short and -v are passed on, and the deadline ends the tests of the module too.
//
// The tests of this package itself check that the modules can be released: they build programs that
// import them from a module proxy that is made of the tree.
package moduletest
