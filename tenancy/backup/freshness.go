package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// Freshness says when tenants were last backed up, by looking into the store: what is not there does not count, whoever made it. It
// is what tenancy.DropConfig.Backups asks before a tenant is dropped, and needs no [Service] yet.
type Freshness struct {
	Store Store // required
}

var _ tenancy.Backups = Freshness{}

// LastBackup returns when the snapshot of the tenant's newest backup was taken, the zero time where there is none. It counts what has both
// a receipt, so that it was verified, and an archive, of the registry that t was read from by a [tenancy.Manager]: another tenant's of the
// same id, in another registry, is none. Where there is nothing but files without a registry it returns an [UnadoptedError]. It reads
// names and one receipt.
func (f Freshness) LastBackup(ctx context.Context, t *tenancy.Tenant) (time.Time, error) {
	fail := func(err error) (time.Time, error) {
		return time.Time{}, fmt.Errorf("last backup of tenant %q: %w", t.Slug, err)
	}
	if f.Store == nil {
		return fail(errors.New("backup: Freshness.Store is nil"))
	}
	receipts, archives := make(map[string]bool), make(map[string]bool)
	if err := bound(t); err != nil {
		return fail(err)
	}
	for o, err := range f.Store.List(ctx, tenantPrefix(t.Registry, t.ID)) {
		if err != nil {
			return fail(err)
		}
		if name, is := strings.CutSuffix(o.Name, receiptSuffix); is {
			receipts[name] = true
		} else {
			archives[o.Name] = true
		}
	}
	newest := ""
	for name := range receipts { // the last part of a name begins with the time
		if archives[name] && lastPart(name) > lastPart(newest) {
			newest = name
		}
	}
	if newest == "" {
		if err := checkAdopted(ctx, f.Store, t.ID); err != nil {
			return fail(err)
		}
		return time.Time{}, nil
	}
	info, err := (&Service{cfg: Config{Store: f.Store}}).readReceipt(ctx, newest)
	if err != nil {
		return fail(err)
	}
	if info.TenantID != t.ID || info.Verified == "" {
		return fail(fmt.Errorf("the receipt of %q is of tenant %d", newest, info.TenantID))
	}
	return info.TakenAt, nil
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// LastBackups returns when the snapshot of the last verified backup of each tenant's schema was taken, as the schedule knows it: one query
// for any number of tenants, for metrics. What was made by hand, or has been removed from the store, it does not know: see [Freshness].
func (c *Schedule) LastBackups(ctx context.Context) (map[string]time.Time, error) {
	own, err := c.s.cfg.Tenants.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the last backups: %w", err)
	}
	rows, err := c.s.cfg.Registry.Query(ctx, `select t.schema_name, r.taken_at from public.backup_runs r join public.tenants t on t.id = r.tenant_id
		where r.kind = 'backup' and r.taken_at is not null and starts_with(r.name, $1)`, registryPrefix(own))
	if err != nil {
		return nil, fmt.Errorf("read the last backups: %w", err)
	}
	last := make(map[string]time.Time)
	var schema string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&schema, &at}, func() error {
		last[schema] = at.UTC()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the last backups: %w", err)
	}
	return last, nil
}
