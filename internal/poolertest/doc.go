// Package poolertest starts a PgBouncer for a test.
package poolertest
