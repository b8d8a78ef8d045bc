package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// errNoBackup is wrapped where there is no backup to be found.
var errNoBackup = errors.New("there is no such backup")

// lastBackup returns when the last backup of a tenant was made, the zero time where there is none.
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

// findBackup returns a backup of the tenant of a slug: the one of that name, or the newest. Of a
// tenant that is gone it is one of the last tenant that had the slug. With --any-registry it is the
// one of that name, of any registry.
func (c *call) findBackup(ctx context.Context, slug, name string) (found backup.Info, err error) {
	if flagOf[bool](c.cmd, "any-registry") {
		return c.findAnywhere(ctx, name)
	}
	t, err := c.Tenants.BySlug(ctx, slug)
	if err != nil && !errors.Is(err, tenancy.ErrNotFound) {
		return found, err
	}
	for info, err := range c.Backups.Backups(ctx, t.ID) { // of all where the id is 0
		if err != nil {
			return found, err
		}
		if t.ID == 0 && info.Slug != slug || name != "" && info.Name != name {
			continue
		}
		// A backup with a time in the future is the newest only if there is no other: a clock was
		// wrong.
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
		return found, fmt.Errorf("%w of %q: %q", errNoBackup, slug, name)
	}
	return found, fmt.Errorf("%w: %q has none", errNoBackup, slug)
}

// findAnywhere returns the backup of that name, of any registry that shares the store.
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
