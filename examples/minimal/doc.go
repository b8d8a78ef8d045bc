// Minimal is the smallest program that serves several tenants, each from a schema of its own: the one of the README, to be copied. It
// counts a tenant's notes.
//
//	export OWNER_URL=postgres://app_owner:...@localhost/app RUNTIME_URL=postgres://app_runtime:...@localhost/app
//	go run ./examples/minimal acme acme.localhost   # a tenant
//	go run ./examples/minimal                       # serves it
//	curl http://acme.localhost:8000/notes
//
// The two logins are made once per database, here "app", by an administrator: with admin.Setup. LISTEN is the address to serve on, :8000
// unless it is set. The test beside runs all of it.
package main
