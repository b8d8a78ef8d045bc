package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// openStore opens the store of the archives in the data directory.
func (p *platform) openStore(dataDir string) (err error) {
	dir := filepath.Join(dataDir, backupDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	p.store, err = backup.OpenDir(dir)
	return err
}

// openBackups creates the backup service and its schedule. Archives are neither encrypted nor
// signed here: a program that wants that sets Recipients and a SigningKey.
func (p *platform) openBackups() (err error) {
	p.backups, err = backup.New(backup.Config{
		Pool: p.owner, Tenants: p.tenants, Migrations: p.runner, Store: p.store,
		Progress: manage.BackupProgress, Logger: p.logger,
	})
	if err != nil {
		return err
	}
	p.schedule, err = backup.NewSchedule(p.backups, backup.ScheduleConfig{
		Retention:   backup.Retention{Last: 3, Daily: 7, Weekly: 4, Monthly: 12},
		VerifyEvery: 7 * 24 * time.Hour,
		Ended:       p.scheduled,
	})
	return err
}

// scheduled adds a backup of the schedule to the access log.
func (p *platform) scheduled(ctx context.Context, r backup.ScheduledRun) {
	if r.Kind != backup.RunBackup || r.Name == "" {
		return // the service has logged the failure
	}
	err := p.log.Write(ctx, audit.Entry{
		Tenant: r.Tenant.ID, Slug: r.Tenant.Slug, Schema: r.Tenant.Schema, Action: audit.Backup, Actor: "schedule",
		Details: map[string]any{"backup": r.Name},
	})
	if err != nil {
		p.logger.ErrorContext(ctx, "backup is not in the access log", slog.String("backup", r.Name), slog.Any("error", err))
	}
}

// freshness reports to a drop whether there is a recent backup.
func (p *platform) freshness() backup.Freshness { return backup.Freshness{Store: p.store} }
