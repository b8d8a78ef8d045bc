// Package backup runs the tests of the module tenancy/backup.
package backup
