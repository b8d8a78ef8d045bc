package metrics

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Sources are what metrics are read from, beside what hooks tell. Each may be left out; its metrics
// are then not shown.
type Sources struct {
	// DBs are the program's handles. Their numbers are added up. They are read at each scrape, which
	// costs no query.
	DBs []DB

	// Tenants lists all tenants. A [tenancy.Registry], on the runtime login, is enough.
	Tenants Tenants

	// Storage is a pool of the database that holds the schemas. Any login will do: sizes are read from
	// the catalog, which everybody may read.
	Storage Querier

	// Migrations goes over the schemas and says where each stands. For a runner and a manager:
	//
	//	func(ctx context.Context) iter.Seq2[migrate.SchemaState, error] { return runner.Fleet(ctx, tenants.Schemas) }
	Migrations func(ctx context.Context) iter.Seq2[migrate.SchemaState, error]

	// Backups knows when tenants were last backed up. It needs Tenants to know whose backup is
	// missing.
	Backups Backups

	// Directory says how the directory of hosts is doing, at each scrape. For a Directory of package
	// resolver:
	//
	//	func() metrics.DirectoryStatus { return metrics.DirectoryStatus(hosts.Status()) }
	Directory func() DirectoryStatus

	// Quarantine says which tenants are kept out, at each scrape. For a Quarantine of package
	// quarantine:
	//
	//	func() metrics.QuarantineStatus { return metrics.QuarantineStatus(q.Status()) }
	Quarantine func() QuarantineStatus
}

// QuarantineStatus is how a quarantine is doing. Its fields are those of Status of package
// quarantine, so that one converts to the other; see there.
type QuarantineStatus struct {
	Surveyed time.Time
	Counts   map[string]int
	Err      error
}

// DB is what a handle tells of itself. [*schemactx.DB] is one.
type DB interface {
	Stats() schemactx.Stats
	Usage() []schemactx.Usage
	PoolStats() schemactx.PoolStats
}

var _ DB = (*schemactx.DB)(nil)

// Tenants lists tenants. [*tenancy.Registry] and [*tenancy.Manager] do.
type Tenants interface {
	All(ctx context.Context, f tenancy.Filter) iter.Seq2[tenancy.Tenant, error]
}

var _ Tenants = (*tenancy.Registry)(nil)

// Querier sends one query. [*pgxpool.Pool] is one.
//
// [*pgxpool.Pool]: https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#Pool
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Backups knows when tenants were backed up.
type Backups interface {
	// LastBackups returns, for each schema that has a backup which can be restored, when the last one
	// was begun. It is to answer for all of them at once: there are thousands. ctx ends after
	// [Config].SurveyTimeout.
	LastBackups(ctx context.Context) (map[string]time.Time, error)
}

// BackupsFunc is a function as [Backups].
type BackupsFunc func(ctx context.Context) (map[string]time.Time, error)

// LastBackups calls f.
func (f BackupsFunc) LastBackups(ctx context.Context) (map[string]time.Time, error) { return f(ctx) }

// DirectoryStatus is how a directory of hosts is doing. Its fields are those of Status of package
// resolver, so that one converts to the other; see there.
type DirectoryStatus struct {
	Current                              time.Time
	Connected                            bool
	Hosts, Tenants, Conflicts            int
	FullLoads, PartialLoads, FailedLoads int64
	Reconnects                           int64
	Notifications, Ignored               int64
	Err                                  error
}
