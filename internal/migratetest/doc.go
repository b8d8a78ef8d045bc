// Package migratetest has what the tests of packages migrate and migrate/drift share: a database
// with empty schemas, small sources of migrations, and the differences between schemas as lines.
package migratetest
