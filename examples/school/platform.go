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

// platform is what serving and each command begin with: the packages of the library, put together.
type platform struct {
	owner, runtime *pgxpool.Pool
	db             *schemactx.DB     // what requests query: the runtime login, scoped
	registry       *tenancy.Registry // which schools there are, as requests may know it
	tenants        *tenancy.Manager  // what makes schools: the owner
	runner         *migrate.Runner
	quarantine     *quarantine.Quarantine // schools whose schemas this program cannot work with; nil in commands
	log            *audit.Log             // who did what
	metrics        *metrics.Metrics
	store          *backup.Dir
	backups        *backup.Service
	schedule       *backup.Schedule
	key            key
	signer         *tenanttoken.Signer // of sessions
	staff          *staff.Staff        // who may do all this from a browser
	schools        *schools.Maker
	logger         *slog.Logger
}

// openPlatform opens the pools and puts the packages together. It changes nothing in the database.
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
	return p, p.openBackups(database.roles)
}

// openTenants makes what migrates the schools' schemas, and what makes schools.
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
		// A school that is locked is not waited for long when the program starts: it is in quarantine
		// then.
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
		Stock:    tenancy.StockConfig{Size: 2}, // so that who signs up need not wait
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

// prepare brings what schools share up to date, and then the schema of every school. Schools whose
// schemas cannot be brought up to date are in quarantine, and the others are served. It refuses a
// database in which something breaks the isolation.
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
		return err // the run failed, and not schools
	}
	if err != nil {
		p.logger.ErrorContext(ctx, "not every school could be migrated", slog.Any("error", err))
	}
	p.quarantine, err = quarantine.New(ctx, quarantine.Config{
		Runner: p.runner, Schemas: p.tenants.Schemas, Results: report.Results, Logger: p.logger,
	})
	if err != nil {
		return err
	}
	return p.check(ctx, roles)
}

// check refuses to work in a database in which something breaks the isolation, such as a runtime
// login with rights of its own. Its warnings are not shown: 'school check' has them, and 'school
// init --harden' settles them.
func (p *platform) check(ctx context.Context, roles schemactx.RoleNames) error {
	report, err := admin.Check(
		ctx,
		p.runtime,
		admin.CheckConfig{Roles: roles, ExtraSearchPath: p.runner.ExtraSearchPath()},
	)
	if err != nil {
		return err
	}
	return report.Err()
}

// close writes what the log still has to the database, or where that is away to the data directory.
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
