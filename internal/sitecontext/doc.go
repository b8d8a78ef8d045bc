// Package sitecontext stores the site of a request in a context: that of a tenant, or the public
// site.
//
// Packages tenancy and tenanthttp share it. Context is a context type and not a value in a context.
// So a package can embed it in a context with more data, without another allocation.
package sitecontext
