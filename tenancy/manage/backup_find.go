package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// errNoBackup is wrapped by the error for a backup that does not exist.
var errNoBackup = errors.New("backup not found")

// lastBackup returns the time of the tenant's newest backup. It is zero without a backup. Backups
// with a time in the future do not count.
func (c *call) lastBackup(ctx context.Context, id int64) (last time.Time, err error) {
	if c.Backups == nil {
		return last, nil
	}
	for info, err := range c.Backups.Backups(ctx, id) {
		if err != nil {
			return last, err
		}
		if info.TakenAt.After(last) && !info.Ahead(time.Now()) {
			last = info.TakenAt
		}
	}
	return last, nil
}

// findBackup returns the backup with that name, or the newest one, of the tenant with the slug. If
// no tenant has the slug now, it searches the backups of tenants that had the slug. With
// --any-registry it returns the backup with that name, of any registry.
func (c *call) findBackup(ctx context.Context, slug, name string) (found backup.Info, err error) {
	if flagOf[bool](c.cmd, "any-registry") {
		return c.findAnywhere(ctx, name)
	}
	t, err := c.Tenants.BySlug(ctx, slug)
	if err != nil && !errors.Is(err, tenancy.ErrNotFound) {
		return found, err
	}
	for info, err := range c.Backups.Backups(ctx, t.ID) { // an id of 0 selects all tenants
		if err != nil {
			return found, err
		}
		if t.ID == 0 && info.Slug != slug || name != "" && info.Name != name {
			continue
		}
		// A backup with a time in the future was made under a wrong clock. It counts as the newest only
		// if there is no other.
		past := !info.Ahead(time.Now())
		if found.Name == "" || past == !found.Ahead(time.Now()) && info.TakenAt.After(found.TakenAt) ||
			past && found.Ahead(time.Now()) {
			found = info
		}
	}
	switch {
	case found.Name != "":
		return found, nil
	case name != "":
		return found, fmt.Errorf("%w: tenant %q has no backup %q", errNoBackup, slug, name)
	}
	return found, fmt.Errorf("%w: tenant %q has no backups", errNoBackup, slug)
}

// findAnywhere returns the backup with that name, of any registry that shares the store.
func (c *call) findAnywhere(ctx context.Context, name string) (found backup.Info, err error) {
	if name == "" {
		return found, usagef(
			"--any-registry needs --backup: %s lists the names",
			c.hint("backup", "list", "--all-registries"),
		)
	}
	for info, err := range c.Backups.AllBackups(ctx) {
		if err != nil || info.Name == name {
			return info, err
		}
	}
	return found, fmt.Errorf("%w: %q", errNoBackup, name)
}
