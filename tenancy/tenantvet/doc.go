// Package tenantvet finds, before a program runs, what takes it out of the tenant that its context
// names. It is a set of go/analysis analyzers for programs that use package schemactx.
//
//	go install github.com/oryne/pgtenant/tenancy/tenantvet/cmd/tenantvet@latest
//	go vet -vettool=$(which tenantvet) ./...
//	tenantvet ./... # the same without go vet
//
// For golangci-lint see package golangci below this one.
//
// # What is reported
//
//   - tenantswitch: a schema named by hand: schemactx.WithSchema, WithPublic, NewContext,
//     NewPublicContext and tenancy.NewContext, NewPublicContext, called or handed on, in a package
//     that is not allowed to.
//   - tenantpool: SQL on a pgxpool.Pool, pgx.Conn, sql.DB or the like in a function that has a
//     schemactx.DB at hand: as a parameter or a variable, or in its receiver. Such a statement has
//     no scope.
//   - tenantsql: SQL text, given to a method that runs it, which sets the search path, the role or
//     the session's user, by SET, RESET, DISCARD ALL or set_config, or names a tenant's schema, as
//     in tenant_2.students. Constants, concatenations, the formats of fmt.Sprintf and local
//     variables are read, DO blocks too.
//   - tenantctx: context.Background() or TODO(), also by way of a variable or of
//     context.WithTimeout and the like, for a scoped call in a function that has a context or a
//     request. context.WithoutCancel keeps the tenant.
//   - tenantallow: an allowance without a reason, or of an analyzer that does not exist.
//
// Nothing is reported in _test.go files unless asked for with -NAME.tests: tests name tenants as
// they like. What is not seen: SQL that comes from elsewhere than the function, a pool behind an
// interface, a context in a struct.
//
// # Silencing
//
// Packages that switch for a living are named to the tool, with ... for all below:
//
//	go vet -vettool=$(which tenantvet) -tenantswitch.allow=example.com/app/jobs/...,example.com/app/admin ./...
//
// A single place says why, at the end of its line, on the line above, or in the comment of its
// function, which then covers all of it:
//
//	//tenantvet:allow tenantsql the report is made by the owner, over all tenants
//
// An allowance that allows nothing is reported, by the analyzer it names.
//
// # Flags
//
// Each analyzer has -NAME.allow and -NAME.tests; tenantsql has -tenantsql.schemas, the regular
// expression that the schemas of tenants match, by default tenant_[0-9]+.
package tenantvet
