package backup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// Freshness returns when tenants were last backed up. It reads the store: a backup that is no
// longer in the store does not count, and one that was made manually does.
// tenancy.DropConfig.Backups calls it before a tenant is dropped. It needs no [Service].
type Freshness struct {
	Store Store // required
}

var _ tenancy.SchemaBackups = Freshness{}

// LastBackup returns the time of the snapshot of the tenant's newest backup, or the zero time if
// there is none. A backup counts if it has an archive and a receipt, and so was verified. It must
// belong to the registry from which a [tenancy.Manager] has read t: backups of another registry's
// tenant with the same id do not count. A backup with a time in the future counts only if there is
// no other. If there are only files without a registry in their names, the error is an
// [UnadoptedError]. It lists the tenant's files, and reads receipts from the newest on until one is
// not in the future.
func (f Freshness) LastBackup(ctx context.Context, t *tenancy.Tenant) (time.Time, error) {
	fail := func(err error) (time.Time, error) {
		return time.Time{}, fmt.Errorf("last backup of tenant %q: %w", t.Slug, err)
	}
	files, err := f.files(ctx, t)
	if err != nil {
		return fail(err)
	}
	now := time.Now()
	var future time.Time
	for len(files) > 0 {
		info, err := f.takeNewest(ctx, t, files, now)
		if err != nil {
			return fail(err)
		}
		if !info.Ahead(now) {
			return info.TakenAt, nil
		}
		future = info.TakenAt
	}
	return future, nil
}

// LastBackupOf is LastBackup for the backups of one schema that the tenant has or had, and for
// snapshots that were taken before a time. A backup has the name that the schema had at that time.
func (f Freshness) LastBackupOf(
	ctx context.Context, t *tenancy.Tenant, schema string, before time.Time,
) (time.Time, error) {
	fail := func(err error) (time.Time, error) {
		return time.Time{}, fmt.Errorf("last backup of schema %q of tenant %q: %w", schema, t.Slug, err)
	}
	files, err := f.files(ctx, t)
	if err != nil {
		return fail(err)
	}
	now := time.Now()
	for len(files) > 0 {
		info, err := f.takeNewest(ctx, t, files, now)
		if err != nil {
			return fail(err)
		}
		if info.Schema == schema && !info.Ahead(now) && info.TakenAt.Before(before) {
			return info.TakenAt, nil
		}
	}
	return time.Time{}, nil
}

// files returns the names of the tenant's verified archives.
func (f Freshness) files(ctx context.Context, t *tenancy.Tenant) (files, error) {
	if f.Store == nil {
		return nil, errors.New("backup: Freshness.Store is nil")
	}
	if err := checkIdentity(t); err != nil {
		return nil, err
	}
	found, err := readFiles(ctx, f.Store, tenantPrefix(t.Registry, t.ID))
	if err == nil && len(found) == 0 {
		err = checkAdopted(ctx, f.Store, t.ID)
	}
	return found, err
}

// takeNewest removes the newest file from the set and returns its receipt.
func (f Freshness) takeNewest(ctx context.Context, t *tenancy.Tenant, from files, now time.Time) (Info, error) {
	newest := from.newest(now)
	delete(from, newest)
	info, err := (&Service{cfg: Config{Store: f.Store}}).readReceipt(ctx, newest)
	if err == nil && (info.TenantID != t.ID || info.Verified == "") {
		err = fmt.Errorf("receipt of backup %q belongs to tenant %d or is not verified", newest, info.TenantID)
	}
	return info, err
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// files is a set of the names of verified archives in a store.
type files map[string]bool

// readFiles lists the archives whose names begin with prefix. An archive without a receipt, or a
// receipt without an archive, is no backup.
func readFiles(ctx context.Context, store Store, prefix string) (files, error) {
	archives, found := make(map[string]bool), make(files)
	var receipts []string
	for o, err := range store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if name, is := strings.CutSuffix(o.Name, receiptSuffix); is {
			receipts = append(receipts, name)
		} else {
			archives[o.Name] = true
		}
	}
	for _, name := range receipts {
		if archives[name] {
			found[name] = true
		}
	}
	return found, nil
}

// newest returns the file with the latest time in its name. A time in the future counts only if
// there is no other.
func (f files) newest(now time.Time) (newest string) {
	var before bool // whether the time of newest is not in the future
	for name := range f {
		at, ok := timeOf(name)
		past := !ok || !ahead(at, now)
		if past && !before || past == before && lastPart(name) > lastPart(newest) {
			newest, before = name, past
		}
	}
	return newest
}

// LastBackups returns, by schema name, the time of the snapshot of each tenant's last verified
// backup, for metrics. It runs two queries and one listing of the store for any number of tenants.
// As with [Freshness], a backup that is no longer in the store does not count, and one that was
// made manually does. A time is exact if the table of runs contains it; otherwise it is the time in
// the file's name, in whole seconds. A backup with a time in the future does not count. ctx governs
// all of it.
func (c *Schedule) LastBackups(ctx context.Context) (map[string]time.Time, error) {
	last, err := c.lastBackups(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the last backups: %w", err)
	}
	return last, nil
}

func (c *Schedule) lastBackups(ctx context.Context) (map[string]time.Time, error) {
	own, err := c.s.cfg.Tenants.Identity(ctx)
	if err != nil {
		return nil, err
	}
	now, err := c.s.readClocks(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := readFiles(ctx, c.s.cfg.Store, registryPrefix(own))
	if err != nil {
		return nil, err
	}
	newest := make(map[int64]time.Time)
	for name := range stored {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, registryPrefix(own)), "-")
		tenant, err := strconv.ParseInt(id, 10, 64)
		at, ok := timeOf(name)
		if err == nil && ok && !ahead(at, now.later()) && at.After(newest[tenant]) {
			newest[tenant] = at
		}
	}
	rows, err := c.s.registry.Query(ctx, `select t.id, t.schema_name, r.name, r.taken_at from {registry}.tenants t
		left join {registry}.backup_runs r on r.tenant_id = t.id and r.kind = 'backup' and r.taken_at is not null`)
	if err != nil {
		return nil, err
	}
	last := make(map[string]time.Time)
	var tenant int64
	var schema string
	var name *string
	var taken *time.Time
	_, err = pgx.ForEachRow(rows, []any{&tenant, &schema, &name, &taken}, func() error {
		at, ok := newest[tenant]
		if name != nil && stored[*name] && taken.Truncate(time.Second).Equal(at) {
			at = taken.UTC()
		}
		if ok {
			last[schema] = at
		}
		return nil
	})
	return last, err
}
