package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (c *console) backUp(w http.ResponseWriter, r *http.Request, slug string, _ web.Form) (string, error) {
	ctx, cancel := operationContext(w, r)
	defer cancel()
	info, err := c.Backups.Backup(ctx, slug, backup.BackupOptions{})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("The backup is complete: %d rows, verified.", info.Rows), c.Log.Write(ctx, audit.Entry{
		Tenant: info.TenantID, Slug: info.Slug, Schema: info.Schema, Action: audit.Backup,
		Details: map[string]any{"backup": info.Name, "rows": info.Rows},
	})
}

// restore replaces the data of the school with a backup. If the form has a short name, it creates a
// new school from the backup instead.
func (c *console) restore(w http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	ctx, cancel := operationContext(w, r)
	defer cancel()
	t, err := c.Tenants.BySlug(ctx, slug)
	if err != nil {
		return "", err
	}
	name := form.Text("name")
	if err := c.isBackup(ctx, t.ID, name); err != nil {
		return "", err
	}
	opts := backup.RestoreOptions{Replace: slug}
	if to := form.Text("as"); to != "" {
		opts = backup.RestoreOptions{Slug: to, Name: t.Name + " (copy)", Domain: c.Schools.DomainOf(to)}
	}
	restored, err := c.Backups.Restore(ctx, name, opts)
	if err != nil {
		return "", err
	}
	return restoreText(restored), c.Log.Write(ctx, audit.Entry{
		Tenant: restored.Tenant.ID, Slug: restored.Tenant.Slug, Schema: restored.Tenant.Schema, Action: audit.Restore,
		Details: restoreDetails(name, restored),
	})
}

// restoreText describes the result of a restore for staff.
func restoreText(r backup.RestoreResult) string {
	said := fmt.Sprintf("Restored %d rows as %s, in schema %s.", r.Rows, r.Tenant.Slug, r.Tenant.Schema)
	if r.Retained != "" {
		said += " The previous schema is kept: check the school, then delete that schema or go back to it below."
	}
	for i, w := range r.Warnings {
		if i == maxWarnings {
			said += fmt.Sprintf(" %d more warnings are in the access log.", len(r.Warnings)-i)
			break
		}
		said += fmt.Sprintf(" Warning: %s.", w)
	}
	return said
}

const maxWarnings = 3 // in a message, which is stored in a cookie

// restoreDetails are the details of a restore in the access log.
func restoreDetails(name string, r backup.RestoreResult) map[string]any {
	details := map[string]any{"backup": name, "rows": r.Rows}
	if len(r.Warnings) > 0 {
		details["warnings"] = r.Warnings
	}
	return details
}

// isBackup returns [backup.ErrNotFound] unless the school has a backup of that name.
func (c *console) isBackup(ctx context.Context, school int64, name string) error {
	for info, err := range c.Backups.Backups(ctx, school) {
		if err != nil || info.Name == name {
			return err
		}
	}
	return backup.ErrNotFound
}

// revert switches the school back to the schema that a restore has retained. Its form and that of
// confirm contain the schema that the page has shown, so that only the schema that was checked can
// be deleted.
func (c *console) revert(w http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	ctx, cancel := operationContext(w, r)
	defer cancel()
	t, err := c.Backups.RevertRestore(ctx, slug, form.Text("retained"))
	return "The school uses schema " + t.Schema + " again. The restored schema is kept; you can go back to it.", err
}

// confirm requests a drop of the schema. It takes the same steps as the drop of a school.
func (c *console) confirm(w http.ResponseWriter, r *http.Request) {
	form, ok := web.ReadForm(w, r)
	if !ok {
		return
	}
	slug := r.PathValue("slug")
	request, err := c.Tenants.RequestConfirm(r.Context(), slug, form.Text("retained"), who(r).Email)
	c.requested(w, r, "/admin/tenants/"+url.PathEscape(slug), request, err)
}
