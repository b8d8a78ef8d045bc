// Command container runs one throw-away PostgreSQL in a container, for the tests that force
// TEST_PG=docker or find an engine.
//
// It is a module of its own, and a program rather than a package, because testcontainers-go brings some
// sixty indirect modules: none of them may reach the go.sum of those who import pgtenant. The fixture in
// internal/pgtest runs it as
//
//	go run .
//
// in this directory and speaks to it over its standard streams.
//
// # Contract
//
// Once the server answers, one line of JSON goes to stdout, and nothing else ever does:
//
//	{"url":"postgres://postgres:PASSWORD@HOST:PORT/postgres?sslmode=disable"}
//
// The container lives until stdin reaches its end, or until SIGINT or SIGTERM: it dies with the test binary
// that holds the other end of the pipe, even where testcontainers' reaper is switched off. Logs go to
// stderr. A failure is one sentence there and exit status 1.
//
// # Settings
//
// TEST_PG_IMAGE names the image, by default postgres:18. It may be any that takes POSTGRES_USER,
// POSTGRES_PASSWORD and POSTGRES_DB as the official one does. The engine is found as testcontainers-go
// finds it (DOCKER_HOST, the Docker context, the default socket).
//
// The server trades durability for speed and must hold nothing worth keeping.
package main
