// Package pgtest gives each test a database of its own on a real PostgreSQL.
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
// The first test that needs it picks the server of its test binary, in this order:
//
//   - TEST_DATABASE_URL, the admin URL of a running server
//   - what TEST_PG forces: docker, local or download
//   - TEST_PG_BIN, a directory of binaries
//   - a container engine that answers, through testcontainers-go; the image is
//     TEST_PG_IMAGE, by default postgres:18
//   - the binaries of the machine, else downloaded ones
//
// Where nothing of that is to be had, the test is skipped with the reason; it fails where CI
// or TEST_PG is set. The server, its databases and roles are gone when the binary ends.
//
// # Examples
//
// An example has no testing.TB; it gets a database from [Open]. As it cannot skip itself, [Main]
// leaves all examples of the binary out, and says so, where a test would be skipped. For that it
// starts the server before the first test, unless -run asks for something else than examples: a
// pattern has to hold the word Example. An example that runs without a server all the same
// fails with the reason.
//
// # A test that fails
//
// Its database stays, and its URL is logged. A server that would end with the binary leaves
// its directory, and Main prints the command that starts it again; with TEST_PG_KEEP=1 Main
// waits, the server running, until it is interrupted.
//
// # Leaks
//
// A connection that is still open when the test and its clean-up are over fails the test. An
// example gets it as an error when it closes its database.
package pgtest
