package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/metrics"
	"github.com/oryne/pgtenant/tenancy/quarantine"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// platform holds the packages of the library, wired together. Serving and each command start with
// it.
type platform struct {
	owner, runtime *pgxpool.Pool
	db             *schemactx.DB     // for requests: the runtime login, scoped
	registry       *tenancy.Registry // the schools, as the runtime login may read them
	tenants        *tenancy.Manager  // creates and changes schools: the owner login
	runner         *migrate.Runner
	quarantine     *quarantine.Quarantine // schools with schemas that the program cannot use; nil in commands
	log            *audit.Log             // the access log
	metrics        *metrics.Metrics
	store          *backup.Dir
	backups        *backup.Service
	schedule       *backup.Schedule
	key            key
	signer         *tenanttoken.Signer // signs sessions
	staff          *staff.Staff        // logs in the staff
	schools        *schools.Maker
	logger         *slog.Logger
}

// openPlatform opens the pools and wires the packages together. It changes nothing in the database.
func openPlatform(
	ctx context.Context,
	database *database,
	dataDir string,
	logger *slog.Logger,
) (_ *platform, err error) {
	p := &platform{key: database.key, logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(ctx))
		}
	}()
	if p.owner, err = openPool(ctx, database.owner); err != nil {
		return nil, err
	}
	if p.runtime, err = openPool(ctx, database.runtime); err != nil {
		return nil, err
	}
	if p.log, err = openLog(ctx, p.runtime, database, dataDir, logger); err != nil {
		return nil, err
	}
	if p.metrics, err = metrics.New(metrics.Config{Logger: logger}); err != nil {
		return nil, err
	}
	hooks := schemactx.Hooks{SchemaSwitch: schemactx.LogSwitches(logger)}
	p.db, err = schemactx.New(p.runtime, schemactx.Config{
		Roles: database.roles, ExtraSearchPath: database.extra, Hooks: p.metrics.Hooks(p.log.SchemaHooks(hooks)),
	})
	if err != nil {
		return nil, err
	}
	p.registry = tenancy.NewRegistry(p.db)
	if err := p.openStore(dataDir); err != nil {
		return nil, err
	}
	if err := p.openStaff(); err != nil {
		return nil, err
	}
	if err := p.openTenants(database); err != nil {
		return nil, err
	}
	return p, p.openBackups()
}

// openTenants creates the migration runner and the tenant manager.
func (p *platform) openTenants(database *database) (err error) {
	p.runner, err = migrate.New(p.owner, migrate.Config{
		Shared: []migrate.Source{
			{Name: "tenancy", FS: tenancy.Migrations()},
			{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase},
			{Name: "backup", FS: backup.Migrations(), Base: backup.Base},
			{Name: "staff", FS: staff.Migrations(), Base: staff.Base},
		},
		Tenant: []migrate.Source{
			{Name: "erp", FS: erp.Migrations()},
			{Name: "schools", FS: schools.Migrations(), Base: schools.Base},
		},
		ExtraSearchPath: database.extra,
		// Wait only briefly for a locked school at the start. The school is put into quarantine instead.
		LockTimeout: 2 * time.Second, LockRetries: 1,
		Logger: p.logger,
	})
	if err != nil {
		return err
	}
	p.tenants, err = tenancy.New(p.owner, tenancy.Config{
		Migrator: p.runner,
		Roles:    database.roles,
		Seed:     schools.Seed(p.db),
		Hooks:    p.metrics.Lifecycle(p.log.TenancyHooks(tenancy.Hooks{})),
		Drop:     p.drops(),
		Plans:    func() []string { return []string{basicPlan, premiumPlan} },
		Stock:    tenancy.StockConfig{Size: 2}, // so that sign-up does not wait for a new schema
		Logger:   p.logger,
	})
	if err != nil {
		return err
	}
	p.schools = &schools.Maker{
		Tenants:  p.tenants,
		Suffix:   "." + baseDomain,
		Names:    []string{basicPlan, premiumPlan},
		Reserved: reserved(),
	}
	return nil
}

// prepare migrates the shared tables, and then the schema of every school. A school whose migration
// fails is put into quarantine, and the others are served. prepare returns an error if something in
// the database breaks the isolation.
func (p *platform) prepare(ctx context.Context, roles schemactx.RoleNames) error {
	if err := p.tenants.Init(ctx); err != nil {
		return err
	}
	if err := p.initLog(ctx, roles); err != nil {
		return err
	}
	report, err := p.runner.UpAll(ctx, p.tenants.Schemas, migrate.UpAllOptions{
		SkipShared: true, // Init has applied it
		Events:     p.metrics.Migrating(p.log.MigrateEvents(ctx)),
	})
	p.metrics.Migrated(report)
	if report.Stopped != nil {
		return err // the run itself failed, not single schools
	}
	if err != nil {
		p.logger.ErrorContext(ctx, "not every school could be migrated", slog.Any("error", err))
	}
	p.quarantine, err = quarantine.New(ctx, quarantine.Config{
		Runner: p.runner, Schemas: p.tenants.Schemas, Results: report.Results, Logger: p.logger,
		Interval: 5 * time.Second, // the default is right for thousands of schools
	})
	if err != nil {
		return err
	}
	return p.check(ctx, roles)
}

// check returns an error if something in the database breaks the isolation, such as a runtime login
// with privileges of its own. It does not show warnings: 'school check' shows them, and 'school
// init --harden' fixes them.
func (p *platform) check(ctx context.Context, roles schemactx.RoleNames) error {
	report, err := admin.Check(ctx, p.runtime,
		admin.CheckConfig{Roles: roles, ExtraSearchPath: p.runner.Config().ExtraSearchPath})
	if err != nil {
		return err
	}
	return report.Err()
}

// close writes the remaining log entries to the database, or to the data directory if the database
// is unavailable. Then it closes the store and the pools.
func (p *platform) close(ctx context.Context) (err error) {
	if p.log != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = p.log.Close(ctx)
	}
	if p.store != nil {
		err = errors.Join(err, p.store.Close())
	}
	for _, pool := range []*pgxpool.Pool{p.runtime, p.owner} {
		if pool != nil {
			pool.Close()
		}
	}
	return err
}
