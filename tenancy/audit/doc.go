// Package audit is the tamper-evident access log of a platform: who did what to which tenant, when
// and from where.
//
//	log, err := audit.Open(ctx, pool, audit.Config{
//		Spill: audit.SpillConfig{Dir: "/var/lib/app/audit"},
//	})
//	app = log.Middleware(app, audit.MiddlewareConfig{
//		Policy: audit.Any(audit.Writes, audit.Failures), Proxies: proxies,
//	})
//	err = log.Write(ctx, audit.Entry{Action: audit.Export, Actor: "ada"}) // synchronous
//	...
//	report, err := reader.VerifyAll(ctx, audit.VerifyOptions{})
//
// # Writing
//
// [Log.Record] and [Log.Middleware] put entries into a bounded queue; a goroutine copies them to
// the database in batches. While the database is unavailable, entries go to files ([SpillConfig]).
// They are written to the database once it answers again, each exactly once, also after a crash. If
// the queue is full, callers wait or entries are dropped and counted, see [Overflow]. Requests that
// are [MiddlewareConfig].Required are refused instead. [Log.Write] and [Log.WriteTx] are for
// entries that must not be lost.
//
// [Migrations] creates the tables, and [Grant] lets the program only add rows. A
// [PartitionMaintainer] creates the monthly partitions and removes old ones.
//
// # Chains
//
// A chain is a sequence of rows linked by hashes. Each process has one chain per month, so that
// processes do not wait for each other. Each row has a position, and a hash of its content, its
// place and the hash of the same tenant's previous row in the chain. Entries of [Log.Write] are in
// chains of their tenants, the ledgers. The first row of a chain names the previous chain of the
// same process, or of the last process that used the same spill directory. A [ChainHead] is the
// position and digest of the last row of a chain.
//
// # What Verify finds
//
//   - A row that was changed, removed, moved or added, unless all later hashes were recomputed.
//   - Missing rows at the end of a chain, if its head, its ledger or the next chain names them.
//   - With a [Config].Key, which is not in the database, also recomputed hashes.
//   - With chain heads kept elsewhere ([Config].Witness, [Reader.Heads]), any change to the rows
//     that they cover, also the removal of the newest rows and all records of them.
//
// Verification cannot find entries that were never written, such as those in the queue of a killed
// process. A role with the rights of a writer can add rows, chains and ledger rows with any
// content. It cannot read the hashes that it would need to continue the chain of another process,
// and cannot set [Record].Received. Rows that arrive late are counted in [Report].Late. A row added
// to the chain of another process is reported as changed or repeated.
//
// # Text
//
// An entry is never refused for its texts, which a client may have chosen. Long texts are cut, and
// characters that PostgreSQL cannot store are replaced. Query strings, headers, bodies and SQL
// statements are not logged.
package audit
