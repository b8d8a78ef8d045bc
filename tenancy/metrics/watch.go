package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// watch holds the sources and their last results. A result is immutable.
type watch struct {
	src        Sources
	surveys    []*survey
	tenants    atomic.Pointer[tenantList]
	storage    atomic.Pointer[map[string]int64] // bytes by schema
	migrations atomic.Pointer[fleet]
	backups    atomic.Pointer[map[string]time.Time]
}

// fleet counts schemas by migration state.
type fleet struct {
	counts map[migrate.Outcome]int
	edited int // schemas with edited files of applied migrations
}

// tenantList is the list of tenants.
type tenantList struct {
	asked    time.Time // start time of the list
	bySchema map[string]tenantInfo
	statuses map[tenancy.Status]int
}

// tenantInfo is the stored part of a tenant.
type tenantInfo struct {
	slug   string
	status tenancy.Status
}

var statuses = []tenancy.Status{
	tenancy.Stocked, tenancy.Provisioning, tenancy.Active, tenancy.Suspended, tenancy.Maintenance, tenancy.Dropping,
}

func (w *watch) askTenants(ctx context.Context) error {
	p := &tenantList{asked: time.Now(), bySchema: make(map[string]tenantInfo), statuses: make(map[tenancy.Status]int)}
	for t, err := range w.src.Tenants.All(ctx, tenancy.Filter{Statuses: statuses, Limit: tenancy.MaxPageSize}) {
		if err != nil {
			return err
		}
		p.bySchema[t.Schema] = tenantInfo{t.Slug, t.Status}
		p.statuses[t.Status]++
	}
	w.tenants.Store(p)
	return nil
}

// storageSQL reads the sizes of all schemas in one pass over the catalog. It uses relpages, which
// VACUUM, ANALYZE and CREATE INDEX update. pg_total_relation_size would need a system call for each
// file, and would wait for the lock of every table that is being altered. The TOAST table of a
// table is in another schema and is found through the table.
const storageSQL = `select n.nspname::text, (sum(s.pages) * current_setting('block_size')::int)::bigint
	from (
		select c.relnamespace as schema, c.relpages::bigint as pages from pg_class c where c.relkind in ('r', 'm', 'i', 'S')
		union all
		select c.relnamespace, t.relpages::bigint + coalesce(i.relpages, 0)
		from pg_class c
		join pg_class t on t.oid = c.reltoastrelid
		left join pg_index x on x.indrelid = t.oid
		left join pg_class i on i.oid = x.indexrelid
		where t.relpages > 0
	) s
	join pg_namespace n on n.oid = s.schema
	where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
	group by n.nspname`

func (w *watch) askStorage(ctx context.Context) error {
	rows, err := w.src.Storage.Query(ctx, storageSQL)
	if err != nil {
		return err
	}
	sizes := make(map[string]int64)
	var schema string
	var size int64
	if _, err = pgx.ForEachRow(rows, []any{&schema, &size}, func() error {
		sizes[schema] = size
		return nil
	}); err != nil {
		return err
	}
	w.storage.Store(&sizes)
	return nil
}

func (w *watch) askMigrations(ctx context.Context) error {
	f := &fleet{counts: make(map[migrate.Outcome]int)}
	for state, err := range w.src.Migrations(ctx) {
		if err != nil {
			return err
		}
		f.counts[state.Outcome]++
		if len(state.Edited) > 0 {
			f.edited++
		}
	}
	w.migrations.Store(f)
	return nil
}

func (w *watch) askBackups(ctx context.Context) error {
	last, err := w.src.Backups.LastBackups(ctx)
	if err != nil {
		return err
	}
	w.backups.Store(&last)
	return nil
}

// gone reports whether a schema first seen at that time is known to belong to no tenant any more.
// It returns false without a list of tenants, or for a schema newer than the list.
func (w *watch) gone(schema string, createdAt time.Time) bool {
	if w == nil {
		return false
	}
	p := w.tenants.Load()
	if p == nil || createdAt.After(p.asked) {
		return false
	}
	_, ok := p.bySchema[schema]
	return !ok
}
