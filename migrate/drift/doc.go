// Package drift compares the structure of tenants' schemas with what their migrations make.
//
//	report, err := drift.Check(ctx, runner, schemas, drift.Options{})
//	if err != nil {
//		return err
//	}
//	fmt.Print(report)   // tenant_7: table students: column birthday is missing
//	return report.Err() // ErrDrift if a schema differs
//
// A version table says which migrations were run. It does not say what is in the schema: a column
// may have been dropped by hand, an index may be invalid, a grant may have been added for another
// role.
//
// # Structure
//
// A [Structure] is the list of the objects of one schema, as the catalogs have them. [Read] reads
// structures. The schema's name, its owner and its tenant's role are replaced by placeholders, so
// that the structures of two tenants can be compared. [Structure.Hash] is the fingerprint: equal
// structures have the same one.
//
// # Reference
//
// [Reference] returns the structure that the migrations of a [migrate.Runner] make. It runs them in
// a scratch schema, a schema that belongs to no tenant, and drops the schema.
//
// # Comparison
//
// [Check] compares any number of schemas with the reference and returns a [Report]; [Each] yields
// the results one by one. Each [Difference] names one object: it is missing, unexpected or
// different. [Options] say what to leave out. [Compare] compares one structure that the caller has
// read.
//
// # Caveats
//
// The text of definitions is that of PostgreSQL's own functions, so that a hash is only comparable
// within one major version. Comments, tablespaces, security labels and the rows of tables are not
// compared; [Read] has the whole list. A reader's server process keeps some 170 kB of memory for
// each schema of 20 tables until its connection is closed.
package drift
