// Package tenantvet is a set of go/analysis analyzers for programs that use package schemactx. They
// report code that leaves the tenant of its context.
//
//	go install github.com/oryne/pgtenant/tenancy/tenantvet/cmd/tenantvet@latest
//	go vet -vettool=$(which tenantvet) ./...
//	tenantvet ./... # the same without go vet
//
// For golangci-lint see the subpackage golangci.
//
// # What is reported
//
//   - tenantswitch: an explicit choice of a schema in a package that is not allowed to make it:
//     schemactx.WithSchema, WithPublic, NewContext, NewPublicContext and tenancy.NewContext,
//     NewPublicContext, called or passed on.
//   - tenantpool: SQL on a pgxpool.Pool, pgx.Conn, sql.DB or the like in a function that has a
//     schemactx.DB as a parameter, as a variable or in its receiver. Such a statement has no scope.
//   - tenantsql: SQL text that sets the search path, the role or the session user by SET, RESET,
//     DISCARD ALL or set_config, or that names a tenant's schema, as in tenant_2.students. The
//     analyzer reads constants, concatenations, formats of fmt.Sprintf, local variables and DO
//     blocks.
//   - tenantctx: context.Background() or TODO(), also through a variable or context.WithTimeout and
//     the like, as the context of a scoped call in a function that has a context or a request.
//     context.WithoutCancel keeps the tenant.
//   - tenantallow: an allowance without a reason, or for an analyzer that does not exist.
//
// Files named _test.go are skipped unless -NAME.tests is set, because tests may choose tenants. The
// analyzers do not see SQL from outside of the function, a pool behind an interface, or a context
// in a struct.
//
// # Silencing
//
// Name packages that may choose schemas in a flag, with ... for all packages below:
//
//	go vet -vettool=$(which tenantvet) -tenantswitch.allow=example.com/app/jobs/... ./...
//
// A single place needs a comment with a reason: at the end of its line, on the line above, or in
// the doc comment of its function, where it covers the whole function:
//
//	//tenantvet:allow tenantsql the report is made by the owner, over all tenants
//
// An allowance without effect is reported by the analyzer that it names.
//
// # Flags
//
// Each analyzer has -NAME.allow and -NAME.tests. tenantsql has -tenantsql.schemas, a regular
// expression for the schemas of tenants, by default tenant_[0-9]+.
package tenantvet
