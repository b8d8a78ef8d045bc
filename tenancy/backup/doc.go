// Package backup backs up, restores and clones single tenants: one tenant, one file, one snapshot.
//
//	backups, err := backup.New(backup.Config{
//		Pool: ownerPool, Tenants: tenants, Migrations: runner, Store: dir,
//		Recipients: recipients, SigningKey: key,
//	})
//	info, err := backups.Backup(ctx, "north", backup.BackupOptions{})
//
// # Backup
//
// [Service.Backup] reads all tables of a tenant's schema in one read-only transaction. It streams
// one snapshot into the [Store], compressed and in constant memory. It then reads the stored file
// back and, if the file is intact, writes its receipt ([Info]). A file without a receipt is no
// backup, and the next run starts anew. FORMAT.md describes the file; package archive reads and
// writes it.
//
// Registries can share a store. Each registry sees only its own backups
// ([tenancy.Registry.Identity]). Give a copied database its own identity with
// [tenancy.Manager.RenewIdentity]. [Service.AdoptBackups] takes over files of earlier releases.
//
// # Schedule
//
// [Schedule] backs up all tenants within a window, deletes what [Retention] does not keep, and
// verifies backups by restoring them into a scratch schema, which belongs to no tenant. Any number
// of processes may run it. [Freshness] returns the time of a tenant's last backup; a drop can
// require one.
//
// # Contents
//
// An archive contains the rows of tables, the state of sequences, the tenant's registry row and
// domains, the partitions that were created at run time, and the list of applied migrations. It
// contains no SQL. The migrations define the structure; a schema that differs is a [DriftError]. An
// object that an archive cannot contain is an [UnsupportedError]. FORMAT.md lists both.
//
// # Restore
//
// [Service.Restore] builds a staged schema beside the live ones. It applies the migrations that the
// archive lists, loads the rows, compares them with the archive's checksums, migrates the schema to
// the newest version and checks its structure. One registry statement then makes it a new tenant or
// switches an existing tenant to it. The replaced schema is retained until [Service.ConfirmRestore]
// or [Service.RevertRestore]. After an error or a crash at any earlier point the existing data is
// unchanged. [Service.Verify] runs the same steps and drops the schema again. [Service.Clone]
// copies another tenant's rows and can anonymize columns.
//
// # Erasure and export
//
// [Service.Erase] drops a tenant, deletes its archives, checks the result and issues a
// [Certificate]. [Service.Dump] runs pg_dump. [SubjectExporter] exports the data of one person.
//
// # Caveat
//
// A backup belongs to the id of a tenant, so a tenant keeps its backups after
// [tenancy.Manager.Rename].
package backup
