// School serves schools from one PostgreSQL, each in a schema of its own: an API and a site for
// each, a public site to sign up, and a console for who runs the platform.
//
//	go run ./examples/school
//
// It starts a PostgreSQL of its own, kept under a data directory, unless --database-url names
// another; sets up the roles, migrates, creates three demo schools, and serves them on
// http://schoola.localhost:8000, schoolb and schoolc. Ctrl-C stops everything; the next start finds
// its data again.
//
// It limits what schools may ask for, by their plans, logs what changes something or fails, shows
// Prometheus its metrics, and has commands beside it, such as backup and restore: README.md shows
// them.
//
// Read database.go for the roles and logins, platform.go for how the packages fit together, site.go
// for what a request passes, and demo.go for how a school is made. The sites are in packages of
// their own, below internal.
package main
