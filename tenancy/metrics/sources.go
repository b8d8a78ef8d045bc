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

// Sources are the inputs of metrics beside the hooks. Each is optional; without it its metrics are
// not exported.
type Sources struct {
	// DBs are the program's handles. Their figures are summed. They are read at each scrape, without a
	// query.
	DBs []DB

	// Tenants lists all tenants. A [tenancy.Registry], on the runtime login, is enough.
	Tenants Tenants

	// Storage is a pool of the database with the schemas. Any login works: sizes are read from the
	// catalog, which every role can read.
	Storage Querier

	// Migrations yields the migration state of each schema. For a runner and a manager:
	//
	//	func(ctx context.Context) iter.Seq2[migrate.SchemaState, error] {
	//		return runner.Fleet(ctx, tenants.Schemas)
	//	}
	Migrations func(ctx context.Context) iter.Seq2[migrate.SchemaState, error]

	// Backups returns the times of the last backups. It needs Tenants to find tenants without a
	// backup.
	Backups Backups

	// Directory returns the state of the directory of hosts, at each scrape. For a Directory of
	// package resolver:
	//
	//	func() metrics.DirectoryStatus { return metrics.DirectoryStatus(hosts.Status()) }
	Directory func() DirectoryStatus

	// Quarantine returns the state of the quarantine, at each scrape. For a Quarantine of package
	// quarantine:
	//
	//	func() metrics.QuarantineStatus { return metrics.QuarantineStatus(q.Status()) }
	Quarantine func() QuarantineStatus
}

// QuarantineStatus is the state of a quarantine. It has the fields of Status of package quarantine,
// which converts to it; see there.
type QuarantineStatus struct {
	Surveyed time.Time
	Counts   map[string]int
	Err      error
}

// DB provides figures of a database handle. [*schemactx.DB] implements it.
type DB interface {
	Stats() schemactx.Stats
	Usage() []schemactx.Usage
	PoolStats() schemactx.PoolStats
}

var _ DB = (*schemactx.DB)(nil)

// Tenants lists tenants. [*tenancy.Registry] and [*tenancy.Manager] implement it.
type Tenants interface {
	All(ctx context.Context, f tenancy.Filter) iter.Seq2[tenancy.Tenant, error]
}

var _ Tenants = (*tenancy.Registry)(nil)

// Querier sends a query. [*pgxpool.Pool] implements it.
//
// [*pgxpool.Pool]: https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#Pool
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Backups returns the times of backups.
type Backups interface {
	// LastBackups returns, for each schema with a restorable backup, the start time of the last one.
	// It has to return all in one call: there can be thousands. ctx ends after [Config].SurveyTimeout.
	LastBackups(ctx context.Context) (map[string]time.Time, error)
}

// BackupsFunc adapts a function to [Backups].
type BackupsFunc func(ctx context.Context) (map[string]time.Time, error)

// LastBackups calls f.
func (f BackupsFunc) LastBackups(ctx context.Context) (map[string]time.Time, error) { return f(ctx) }

// DirectoryStatus is the state of a directory of hosts. It has the fields of Status of package
// resolver, which converts to it; see there.
type DirectoryStatus struct {
	Current                              time.Time
	Connected                            bool
	Hosts, Tenants, Conflicts            int
	FullLoads, PartialLoads, FailedLoads int64
	Reconnects                           int64
	Notifications, Ignored               int64
	Err                                  error
}
