// Command sentry shows how an error tracker gets the tenant of a failed statement. schemactx's
// Hooks.StatementFailure sends an event with the tags of tenanthttp.Tags. The command starts its
// own PostgreSQL, creates two tenants, and runs a statement that fails for each. It prints the
// events, or sends them to SENTRY_DSN.
//
//	go run .
//	SENTRY_DSN=https://key@example.ingest.sentry.io/1 go run .
//
// An event has the SQLSTATE, the names of the table and the constraint, and the statement as the
// program wrote it. It has neither the arguments nor the server's message and detail, which can
// quote them: "Key (email)=(a@example.com) already exists."
package main
