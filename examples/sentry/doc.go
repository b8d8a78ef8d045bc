// Command sentry shows how an error tracker learns whose request failed: schemactx's
// Hooks.StatementFailure sends an event with the tags of tenanthttp.Tags. It starts a PostgreSQL of
// its own, makes two tenants, has a statement of each fail, and prints the events, or sends them
// where SENTRY_DSN says.
//
//	go run .
//	SENTRY_DSN=https://key@example.ingest.sentry.io/1 go run .
//
// An event holds the SQLSTATE, the names of table and constraint, and the statement as the program
// wrote it. It holds no arguments, and neither the server's message nor its detail, which quote
// them: "Key (email)=(a@example.com) already exists."
package main
