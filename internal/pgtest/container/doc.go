// Command container runs a throw-away PostgreSQL in a container, for tests with TEST_PG=docker and
// for machines with a container engine.
//
// It is a separate module, and a program instead of a package, because testcontainers-go brings
// some sixty indirect modules. None of them may reach the go.sum of programs that import pgtenant.
// The fixture in internal/pgtest runs it as
//
//	go run .
//
// in this directory and talks to it over its standard streams.
//
// # Contract
//
// When the server answers, the program writes one line of JSON to stdout, and nothing else:
//
//	{"url":"postgres://postgres:PASSWORD@HOST:PORT/postgres?sslmode=disable"}
//
// The container lives until stdin reaches its end, or until SIGINT or SIGTERM. So it ends with the
// test binary that holds the other end of the pipe, even if the reaper of testcontainers is
// switched off. Logs go to stderr. After a failure the program writes one sentence to stderr and
// exits with status 1.
//
// # Settings
//
// TEST_PG_IMAGE names the image, by default postgres:18. The image must take POSTGRES_USER,
// POSTGRES_PASSWORD and POSTGRES_DB as the official one does. testcontainers-go finds the engine
// (DOCKER_HOST, the Docker context, the default socket).
//
// The server gives up durability for speed. It must not hold data that is worth keeping.
package main
