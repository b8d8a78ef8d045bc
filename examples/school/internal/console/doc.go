// Package console is /admin/: the pages on which the platform's staff create, manage and delete
// schools, with their domains, backups, migrations and access log.
//
// The console has no rules of its own. The library decides what a status allows, what a drop
// requires and what a restore refuses; the pages show the result. Every action is in the access
// log, with the staff member as its actor.
package console
