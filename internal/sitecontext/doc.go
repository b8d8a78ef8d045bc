// Package sitecontext carries the site of a request, which is a tenant's or the public one, in a
// context.
//
// Packages tenancy and tenanthttp share it. It is a context of its own and not a value in one, so
// that a package can embed it in a context that carries more, without another allocation.
package sitecontext
