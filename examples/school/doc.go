// School serves schools from one PostgreSQL database, each in its own schema. Each school has an
// API and a website. The platform has a public site to sign up, and a console for its staff.
//
//	go run ./examples/school
//
// School starts its own PostgreSQL in a data directory, unless --database-url names another. It
// creates the roles, migrates, creates three demo schools, and serves them on
// http://schoola.localhost:8000, schoolb and schoolc. Ctrl-C stops everything; the data stays for
// the next start.
//
// School limits the requests of each school by its plan. It logs requests that fail or may write,
// and exports Prometheus metrics. It also has commands, such as backup and restore; README.md shows
// them.
//
// Read database.go for the roles and logins, platform.go for how the packages fit together, site.go
// for the handlers of a request, and demo.go for how a school is created. The sites are packages
// below internal.
package main
