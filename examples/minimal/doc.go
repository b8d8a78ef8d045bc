// Minimal is the smallest program that serves several tenants, each from a schema of its own. It is
// the program of the README. It counts the notes of a tenant.
//
//	export ADMIN_URL=postgres://postgres:...@localhost/app
//	export OWNER_URL=postgres://app_owner:...@localhost/app
//	export RUNTIME_URL=postgres://app_runtime:...@localhost/app
//	go run ./examples/minimal setup                 # once per database, and after an update
//	go run ./examples/minimal acme acme.localhost   # makes a tenant
//	go run ./examples/minimal                       # serves
//	curl http://acme.localhost:8000/notes
//
// Only setup reads ADMIN_URL. It makes the two logins, with the passwords of their URLs.
// LISTEN is the address to serve on; its default is :8000.
package main
