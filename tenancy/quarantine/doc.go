// Package quarantine keeps the tenants out whose schemas the program cannot work with, and only these: a failed migration
// does not stop the others.
//
//	report, err := runner.UpAll(ctx, tenants.Schemas, migrate.UpAllOptions{SkipShared: true})
//	if report.Stopped != nil {
//		return err // the run itself failed, and not schemas
//	}
//	q, err := quarantine.New(ctx, quarantine.Config{Runner: runner, Schemas: tenants.Schemas, Results: report.Results})
//	go q.Run(ctx)
//	site := tenanthttp.Handler(hosts, tenanthttp.Routes{Admit: q.Admit, ...})
//
// # Who is in quarantine
//
// A tenant whose schema is behind the program ([Behind]), whose migration failed ([Failed], see [Quarantine.Migrated]), which
// a newer program has migrated ([Newer]), or which cannot be migrated as it is. Their requests get 503 with the problem type
// [tenanthttp.ProblemQuarantined]; all others are served. A schema that is newer is served if the newer program says that this
// one can work with it, see [migrate.Source.CompatibleFrom]. Declare it where old and new programs run side by side, as in
// a rolling deployment: without it the old ones stop serving each tenant that the new one has migrated. A schema whose
// files were edited is served if nothing is pending in it.
//
// The same Admit is for the jobs of a [tenanttoken.Propagator] and for [tenancy.ForEachOptions]; without it they are worked on as
// before. A tenant that is made or taken from stock is at the program's version, and is never in quarantine.
//
// # In and out
//
// [Quarantine.Run] asks for all schemas every 30 seconds with the fleet's one set-based query, and every second for those in
// quarantine. So a tenant comes back within seconds of its migration, by whichever program, and is in quarantine within half
// a minute when a newer program migrates it. The schema of a tenant that was made since is looked at with the first request
// for it.
//
// # When the database is away
//
// New fails: a program that does not know which schemas it can work with serves no tenant. Later what was known last stays, as
// hosts do; [Quarantine.Status] says how old it is. A schema that was never looked at is kept out as [Unknown] until it was.
package quarantine
