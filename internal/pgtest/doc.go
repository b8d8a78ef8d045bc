// Package pgtest gives each test its own database on a real PostgreSQL.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		t.Parallel()
//		db := pgtest.New(t)
//		...
//	}
//
// # The server
//
// The first test that needs a server chooses the server of its test binary, in this order:
//
//   - TEST_DATABASE_URL, the administrator's URL of a running server
//   - the kind of server that TEST_PG names: docker, local or download
//   - TEST_PG_BIN, a directory of binaries
//   - a container engine that answers, through testcontainers-go; the image is TEST_PG_IMAGE, by
//     default postgres:18
//   - the binaries of the machine, or else downloaded ones
//
// If none of these is available, the test is skipped with the reason. If CI or one of the variables
// TEST_DATABASE_URL, TEST_PG and TEST_PG_BIN is set, it fails. A server that the package started
// ends with the binary, and so do its databases and roles.
//
// # Examples
//
// An example has no testing.TB; it gets a database from [Open]. An example cannot skip itself. So
// if a test would be skipped, [Main] skips all examples of the binary and says so. For that it
// starts the server before the first test, unless -run selects only tests: a pattern must contain
// the word Example to select examples. An example that runs without a server anyway fails with the
// reason.
//
// # A test that fails
//
// The database of a failed test stays, and its URL is logged. If the server would end with the
// binary, its directory stays, and Main prints the command that starts it again. With
// TEST_PG_KEEP=1, Main keeps that server running and waits until it is interrupted.
//
// # Leaks
//
// A connection that is still open after a test and its clean-up fails the test. An example gets the
// error when it closes its database.
package pgtest
