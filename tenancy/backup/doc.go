// Package backup keeps what tenants cannot afford to lose: one tenant, one file, one snapshot.
//
//	backups, err := backup.New(backup.Config{
//		Pool: ownerPool, Tenants: tenants, Migrations: runner, Store: dir,
//		Recipients: recipients, SigningKey: key,
//	})
//	info, err := backups.Backup(ctx, "north", backup.BackupOptions{})
//
// # A backup
//
// [Service.Backup] reads all tables of a tenant's schema in one read-only transaction, as they were at one moment, and streams them
// into the [Store], compressed, in constant memory. What it costs depends on the tenant and not on its neighbours. FORMAT.md describes the
// file, package archive reads and writes it: tar, zstd, CSV and JSON, and age around it all where it is encrypted.
//
// Several registries can share a store: each sees only the backups that it has made
// ([tenancy.Registry.Identity]). A copy of a database needs an identity of its own, see
// [tenancy.Manager.RenewIdentity]. [Service.AdoptBackups] takes over files of earlier releases.
//
// A tenant is backed up when the stored file has been read back and found good. Only then is its receipt written
// ([Info]), only then does anything say so. Whatever happens before leaves nothing, or a file without a receipt, and the next run
// begins anew.
//
// # A schedule
//
// [Schedule] backs up all tenants, spread over a window, removes what [Retention] does not keep, and restores backups into scratch.
// Any number of processes may run it. [Freshness] says when a tenant was last backed up: a drop can demand it.
//
// # The end of a tenant
//
// [Service.Erase] drops a tenant, removes its archives, looks, and certifies what is gone and what stays. [Service.Dump] hands over SQL,
// [SubjectExporter] one person's rows.
//
// # What is in it
//
// Data: the rows of tables, where sequences stand, the tenant's row and domains of the registry,
// the partitions that were made at run time, and which migrations were applied. The structure is
// what those migrations make: a schema that differs is a [DriftError]. What an archive cannot hold
// is an [UnsupportedError] that names it; nothing is left out in silence. FORMAT.md lists both.
//
// No SQL is in an archive, and none of it is ever run.
//
// # A restore
//
// [Service.Restore] builds a schema beside all that is there: by the migrations that the archive's schema had, filled with its rows, read
// back and compared with its checksums, migrated up, and compared with what the migrations make. Then one statement of the registry makes it
// a new tenant, or puts it in the place of a tenant's schema, which is kept aside until [Service.ConfirmRestore] or [Service.RevertRestore]. After
// an error, or a crash at any point, what was there is untouched. [Service.Verify] does the same with a schema that is dropped again.
// [Service.Clone] makes a tenant from another one's rows, with columns made anonymous.
//
// A tenant moves to another name within the database by [tenancy.Manager.Rename], which copies nothing; its backups go by its id, and are its
// own under any name.
package backup
