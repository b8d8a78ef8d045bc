package backup

import (
	"runtime/debug"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// headerOf returns the header of a tenant's archive, without the fields that the snapshot
// determines.
func headerOf(t *tenancy.Tenant, domains []tenancy.Domain) archive.Header {
	h := archive.Header{
		Tenant: archive.Tenant{
			ID: t.ID, Slug: t.Slug, Name: t.Name, Status: string(t.Status), Reason: t.Reason, Plan: t.Plan, Limits: t.Limits,
			Placement: t.Placement, Metadata: t.Metadata, CreatedAt: t.CreatedAt.UTC(),
		},
		Schema: t.Schema, Library: library(), Encoding: "UTF8", LargeObjects: "none",
	}
	for _, d := range domains {
		h.Tenant.Domains = append(h.Tenant.Domains, archive.Domain{Host: d.Host, Primary: d.Primary, Verified: d.Verified()})
	}
	return h
}

// migrationsOf returns the applied migrations.
func migrationsOf(status migrate.Status) []archive.Migration {
	list := []archive.Migration{}
	for _, m := range status.Migrations {
		if m.State != migrate.Pending {
			list = append(list, archive.Migration{
				Version: m.Version, Source: m.Source, Name: m.Name, Checksum: m.AppliedChecksum,
			})
		}
	}
	return list
}

const module = "github.com/oryne/pgtenant/tenancy/backup"

// library returns the version of this module in the running program. It is "(devel)" if
// the build information has no version of the module, and "(unknown)" without build information.
func library() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" {
			return m.Version
		}
	}
	return "(devel)"
}
