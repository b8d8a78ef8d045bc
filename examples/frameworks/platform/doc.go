// Package platform is what the programs beside it have in common: two schools on one PostgreSQL,
// each in a schema of its own, and the question that is asked of them. None of it knows a web
// framework.
//
// The programs are a module of their own, so that the frameworks reach nobody who imports pgtenant.
package platform
