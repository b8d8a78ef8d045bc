package guidetest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"math"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/manage"
	"github.com/oryne/pgtenant/tenancy/metrics"
)

// This file has the code of tenancy/backup/VERIFY.md, in its order.

// keys are those of the archives.
type keys struct {
	recipients []age.Recipient    // public keys: archives are encrypted for them
	identities []age.Identity     // private keys: only where archives are restored
	signing    ed25519.PrivateKey // signs archives, and says whose archives are accepted
}

func openApp(owner *pgxpool.Pool, store backup.Store, k keys, files fs.FS) (*manage.App, error) {
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{
			{Name: "tenancy", FS: tenancy.Migrations()},
			{Name: "backup", FS: backup.Migrations(), Base: backup.Base},
		},
		Tenant: []migrate.Source{{Name: "app", FS: files}},
	})
	if err != nil {
		return nil, err
	}
	tenants, err := tenancy.New(owner, tenancy.Config{Migrator: runner, Drop: tenancy.DropConfig{
		Enabled: true, FourEyes: true,
		Backups: backup.Freshness{Store: store}, MaxBackupAge: 24 * time.Hour,
	}})
	if err != nil {
		return nil, err
	}
	backups, err := backup.New(backup.Config{
		Pool: owner, Tenants: tenants, Migrations: runner, Store: store,
		Recipients: k.recipients, Identities: k.identities, SigningKey: k.signing,
	})
	if err != nil {
		return nil, err
	}
	schedule, err := backup.NewSchedule(backups, backup.ScheduleConfig{
		Start: 22 * time.Hour, Window: 6 * time.Hour, // UTC
		Retention:   backup.Retention{Last: 3, Daily: 7, Weekly: 4, Monthly: 12},
		VerifyEvery: 7 * 24 * time.Hour,
	})
	return &manage.App{
		Owner: owner, Migrations: runner, Tenants: tenants, Backups: backups, Schedule: schedule,
	}, err
}

func export(app *manage.App, m *metrics.Metrics, registry prometheus.Registerer) error {
	if err := m.Watch(metrics.Sources{Tenants: app.Tenants, Backups: app.Schedule}); err != nil {
		return err
	}
	unverified := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "app_backups_unverified",
		Help: "Tenants with a backup of which none was restored within 9 days; NaN: not known.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n, err := unverified(ctx, app.Schedule, time.Now().Add(-9*24*time.Hour))
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	})
	return errors.Join(registry.Register(m), registry.Register(unverified))
}

// unverified counts the tenants with a backup of which none was restored since a time.
func unverified(ctx context.Context, schedule *backup.Schedule, since time.Time) (n int, err error) {
	states, err := schedule.States(ctx)
	if err != nil {
		return 0, err
	}
	missing := make(map[int64]bool)
	for _, s := range states {
		if s.Kind == backup.RunBackup && s.Name != "" {
			missing[s.TenantID] = true
		}
	}
	for _, s := range states {
		if s.Kind == backup.RunVerify && s.VerifiedAt.After(since) {
			delete(missing, s.TenantID)
		}
	}
	return len(missing), nil
}

// restoreAll makes each tenant of other registries from its newest backup.
func restoreAll(ctx context.Context, backups *backup.Service) error {
	newest := make(map[string]backup.Info)
	for info, err := range backups.AllBackups(ctx) {
		if err != nil {
			return err
		}
		if info.TakenAt.After(newest[info.Slug].TakenAt) {
			newest[info.Slug] = info
		}
	}
	var errs []error
	for _, info := range newest {
		_, err := backups.Restore(ctx, info.Name, backup.RestoreOptions{AnyRegistry: true})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
