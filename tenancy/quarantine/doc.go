// Package quarantine refuses requests for tenants whose schemas the program cannot work with, so
// that one failed migration does not stop the other tenants.
//
//	report, err := runner.UpAll(ctx, tenants.Schemas, migrate.UpAllOptions{SkipShared: true})
//	if report.Stopped != nil {
//		return err // the run itself failed, not single schemas
//	}
//	q, err := quarantine.New(ctx, quarantine.Config{
//		Runner: runner, Schemas: tenants.Schemas, Results: report.Results,
//	})
//	go q.Run(ctx)
//	site := tenanthttp.Handler(hosts, tenanthttp.Routes{Admit: q.Admit, ...})
//
// # Which tenants are in quarantine
//
// A tenant is in quarantine if its schema is behind the program ([Behind]), if its migration failed
// ([Failed], see [Quarantine.Migrated]), if a newer program migrated it ([Newer]), or if its schema
// cannot be migrated. Its requests get status 503 with the problem type
// [tenanthttp.ProblemQuarantined]; all others are served. A newer schema is served if the newer
// program declares that this program can work with it, see [migrate.Source.CompatibleFrom]. Declare
// that for rolling deployments, where old and new programs run side by side. Otherwise old programs
// stop serving each tenant that the new program has migrated. A schema with edited migration files
// is served if no migration is pending.
//
// Use the same Admit for the jobs of a [tenanttoken.Propagator] and for [tenancy.ForEachOptions];
// without it they also run for tenants in quarantine. A newly created or stocked tenant is at the
// version of its program and not in quarantine.
//
// # Entering and leaving
//
// [Quarantine.Run] checks all schemas every 30 seconds with the set-based query of the fleet, and
// the schemas in quarantine every second. A tenant leaves quarantine within seconds of its
// migration, by whichever program, and enters it within half a minute after a newer program
// migrated it. The schema of a tenant created since the last check is checked with its first
// request.
//
// # When the database is unavailable
//
// New fails, because a program that does not know which schemas it can work with must serve no
// tenant. Later the last known state stays in force; [Quarantine.Status] says how old it is. A
// schema that was never checked is refused as [Unknown].
package quarantine
