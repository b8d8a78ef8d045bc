// Package corpustest runs small databases through the life of a tenant. It is created file by file
// and all at once, written to, backed up, verified, restored, cloned, renamed, migrated down and
// up, and dropped.
//
// A case is a file in testdata, in txtar format:
//
//	what the case is for
//	-- setup.sql --
//	run by the database's administrator first
//	-- 00001_a.sql --
//	a migration of the tenants, and so on
//	-- after.sql --
//	run as the owner in each new tenant, with its schema on the path
//	-- again.sql --
//	run like after.sql in the renamed tenant
//	-- tenant.sql --
//	statements, with an empty line between, run as the tenants, through schemactx: alone, in a
//	transaction, in a batch
//	-- expect --
//	extra extensions
//	returns select count(*) from users => 1
//	owner select current_setting('search_path') => "$user", public
//	fails new: CREATE EXTENSION
//	pending verify before 17: does not exist
//
// In expect, extra is the ExtraSearchPath. The lines returns and owner have a query and its result:
// returns for a tenant at any time, owner for the pool of the owner. The lines fails and pending
// name a step that must fail with an error that contains the words, and change nothing. A step in
// fails is right to fail. A step in pending should work one day, and the line is removed then.
// Every other step must work.
package corpustest
