// Package platform is the common part of the example programs: two schools in one PostgreSQL
// database, each in its own schema, and a query for a student. It does not depend on a web
// framework.
//
// The programs are a separate module, so that programs that import pgtenant do not depend on the
// frameworks.
package platform
