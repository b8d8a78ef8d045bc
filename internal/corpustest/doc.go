// Package corpustest takes small databases through the life of a tenant: made file by file and all
// at once, written to, backed up, verified, restored, cloned, renamed, migrated down and up,
// dropped.
//
// A case is a file in testdata, in txtar format:
//
//	what it stands for
//	-- setup.sql --
//	run by the database's administrator first
//	-- 00001_a.sql --
//	a migration of the tenants, and so on
//	-- after.sql --
//	run as the owner in each new tenant, with its schema on the path
//	-- again.sql --
//	run so in the tenant that was renamed
//	-- tenant.sql --
//	statements, with an empty line between, run as the tenants, through schemactx: alone, in a transaction, in a batch
//	-- expect --
//	extra extensions
//	returns select count(*) from users => 1
//	owner select current_setting('search_path') => "$user", public
//	fails new: CREATE EXTENSION
//	pending verify before 17: does not exist
//
// In expect, extra is the ExtraSearchPath, returns a query of a tenant and what it returns at any
// time, owner one through the pool of the owner. A step that fails must say so with the words that
// fails or pending has, and change nothing. Fails is right as it is; what is pending should work
// one day, and the line goes when it does. Every other step must work.
package corpustest
