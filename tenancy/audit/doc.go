// Package audit is the access log of a platform: who did what to which tenant, when and from where,
// in rows that nobody changes unnoticed.
//
//	log, err := audit.Open(ctx, pool, audit.Config{Spill: audit.SpillConfig{Dir: "/var/lib/app/audit"}})
//	app = log.Middleware(app, audit.MiddlewareConfig{Policy: audit.Any(audit.Writes, audit.Failures), Proxies: proxies})
//	err = log.Write(ctx, audit.Entry{Action: audit.Export, Actor: "ada"}) // is in the database, or is an error
//	...
//	report, err := reader.VerifyAll(ctx, audit.VerifyOptions{})
//
// # Writing
//
// [Log.Record] and [Log.Middleware] put entries into a bounded queue, and a goroutine copies them
// in batches. While the database is away they go into files ([SpillConfig]), and from there into
// the database as soon as it is back, each once, also after a crash. A queue without room makes
// callers wait or loses entries, which are counted, by [Overflow]; requests that are
// [MiddlewareConfig].Required are refused instead. [Log.Write] and [Log.WriteTx] are for what must
// not be lost.
//
// The tables are made by [Migrations], rights are given by [Grant]: the program may add rows and do
// nothing else. A [PartitionMaintainer] makes the months' partitions and removes old ones.
//
// # Chains
//
// Each process has a chain of its own in each month, so that none waits for another: its rows are
// counted, and each has the hash of its content, its place, and the hash of the same tenant's row
// before it. Entries of [Log.Write] are in chains of their tenants. The first row of a chain names
// the one before it, of the same process, or of the process before it that had the same spill
// directory.
//
// # What Verify finds
//
//   - A row that is changed, removed, moved or added, by whoever does not compute all hashes behind
//     it anew.
//   - Rows that are missing at the end of a chain, while its head, its ledger or the chain behind
//     it says that they were there.
//   - With a [Config].Key, which is not in the database, also what somebody has computed anew, such
//     as its owner.
//   - With heads that were kept elsewhere ([Config].Witness, [Reader.Heads]), whatever happened to
//     rows that they cover: also that the newest rows were taken away together with all that the
//     database says of them.
//
// Nothing finds what was never written: entries that a killed process had in its queue. And who has
// the rights of a writer can add rows, chains of its own and rows in the ledgers, with any content.
// It cannot read the hashes that a row of another process would have to follow, and not set
// [Record].Received: rows with an old time that came late are counted ([Report].Late). What it adds
// to a foreign chain is found as changed or repeated.
//
// # Text
//
// An entry is never refused for its texts: who is logged may have chosen them. They are cut, and
// what PostgreSQL cannot hold is replaced. The query of a URL, headers, bodies and statements are
// not logged.
package audit
