package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// RenameParams say what [Manager.Rename] changes. An empty field stays unchanged.
type RenameParams struct {
	Name   string // display name, see [ValidateDisplayName]
	Slug   string // see [ValidateSlug]
	Schema string // see [schemactx.ValidateName]; a name that no tenant has ever had, and not tenant_<number>

	// AllowBroken allows the rename if the text of other objects contains the old schema name, see
	// [admin.CheckRename]. The caller has to change these objects. Default: false, the rename is
	// refused.
	AllowBroken bool
}

func (p RenameParams) validate() error {
	if p.Name != "" {
		if err := ValidateDisplayName(p.Name); err != nil {
			return err
		}
	}
	if p.Slug != "" {
		if err := ValidateSlug(p.Slug); err != nil {
			return err
		}
	}
	if p.Schema == "" {
		return nil
	}
	return validateSchema(p.Schema)
}

// validateSchema returns an error if a caller may not choose the name for a tenant's schema. Names
// of the form tenant_<number> are the default names, also of tenants that do not exist yet.
func validateSchema(name string) error {
	if err := schemactx.ValidateName(name); err != nil {
		return err
	}
	if id, found := strings.CutPrefix(name, "tenant_"); found && id != "" && strings.Trim(id, "0123456789") == "" {
		return &schemactx.NameError{Name: name, Rule: "has the form of a default name, tenant_<id>, which cannot be chosen"}
	}
	return nil
}

// checkSchemaName returns a [schemactx.SearchPathError] for a schema that the Migrator has on the
// search path of every tenant, and a [schemactx.NameError] for the name of a role or of the
// registry's schema.
func (m *Manager) checkSchemaName(schema string) error {
	if schema == "" {
		return nil
	}
	if err := m.cfg.Roles.ValidateSchema(schema); err != nil {
		return err
	}
	if schema == m.RegistrySchema() {
		return &schemactx.NameError{Name: schema, Rule: "is the registry's schema"}
	}
	p, ok := m.cfg.Migrator.(interface {
		SearchPath(schema string) (string, error)
	})
	if !ok {
		return nil
	}
	_, err := p.SearchPath(schema)
	return err
}

// Rename changes a tenant's display name, slug or schema name, or several of them. Tables,
// privileges and rows of the schema stay unchanged.
//
// Refused input is a [FieldError], a [schemactx.NameError], a [schemactx.SearchPathError], or
// [ErrSlugTaken]. A schema name that exists, or that any tenant has or once had, is
// [admin.ErrTaken]. If the text of functions, settings or expressions contains the old schema name,
// the error is an [admin.TextError]. If another operation on the tenant has not ended, the rename
// of the schema is a [BusyError]. The status may not allow the rename: a [StatusError]. After each
// of these errors nothing was changed.
//
// A rename of the schema has several steps, because the schema may be on another server than the
// registry. Rename reserves the names, renames the schema and its role, and switches the registry.
// If a step fails, the error is a [StepError]. Then, or after a crash, the same Rename or
// [Manager.Resume] continues.
//
// Until every process knows the new name, requests of the tenant fail with
// [schemactx.ErrSchemaMissing], [schemactx.ErrNotProvisioned] or, in the middle of a statement,
// PostgreSQL's undefined_table (42P01). No request reaches another tenant's rows, because the old
// name is never reused. To announce the interruption, call [Manager.StartMaintenance] first.
// Queries that name the schema break, and so do passwords at level Logins: see [admin.Rename].
func (m *Manager) Rename(ctx context.Context, slug string, p RenameParams) (Tenant, error) {
	if err := p.validate(); err != nil {
		return Tenant{}, err
	}
	if err := m.checkSchemaName(p.Schema); err != nil {
		return Tenant{}, err
	}
	t, l, err := m.lockToRename(ctx, slug, p)
	if err != nil {
		return Tenant{}, fmt.Errorf("%s: %w", OpRename, err)
	}
	defer l.release(ctx)
	if err := OpRename.check(&t); err != nil {
		return t, err
	}
	if err := m.checkRenamable(ctx, &t, p); err != nil {
		return t, err
	}
	names := claimNames(&t, p)
	claim := step{name: "claim", write: &names}
	if p.Schema == "" || p.Schema == t.Schema {
		err := m.run(ctx, l, OpRename, &t, claim)
		return t, err
	}
	row := Operation{Op: OpRename, Schema: p.Schema}
	err = m.runRecorded(ctx, l, OpRename, &t, row, append([]step{claim}, m.renameSteps(l, &t, p.Schema)...)...)
	return t, err
}

// lockToRename locks the tenant with the slug. If there is none, it tries the new slug: an
// interrupted rename may already have changed the slug. It is the same rename if the tenant has, or
// is to get, the new schema name, because a schema name is used only once.
func (m *Manager) lockToRename(ctx context.Context, slug string, p RenameParams) (Tenant, *lock, error) {
	t, l, err := m.lockBySlug(ctx, slug)
	if !errors.Is(err, ErrNotFound) || p.Slug == "" || p.Schema == "" {
		return t, l, err
	}
	t, l, errNew := m.lockBySlug(ctx, p.Slug)
	switch {
	case errNew != nil && !errors.Is(errNew, ErrNotFound):
		return Tenant{}, nil, errNew
	case errNew != nil:
		return Tenant{}, nil, err
	case t.Schema != p.Schema && !t.renaming(p.Schema):
		l.release(ctx)
		return Tenant{}, nil, err
	}
	return t, l, nil
}

// checkRenamable checks, before any change, whether the schema can get the new name.
func (m *Manager) checkRenamable(ctx context.Context, t *Tenant, p RenameParams) error {
	schema := p.Schema
	if schema == "" || t.renaming(schema) {
		return nil
	}
	if err := OpRename.checkIdle(t); err != nil {
		return err
	}
	if schema == t.Schema {
		return nil
	}
	server, err := m.server(t)
	if err != nil {
		return fmt.Errorf("%s tenant %q: %w", OpRename, t.Slug, err)
	}
	taken, err := schemaExists(ctx, server, schema)
	if err == nil && taken {
		err = admin.ErrTaken
	}
	if err == nil && !p.AllowBroken {
		err = admin.CheckRename(ctx, server, t.Schema)
	}
	if err != nil {
		return fmt.Errorf("%s tenant %q to schema %q: %w", OpRename, t.Slug, schema, err)
	}
	return nil
}

func schemaExists(ctx context.Context, server *pgxpool.Pool, schema string) (exists bool, err error) {
	err = server.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", schema).Scan(&exists)
	return exists, err
}

// renaming reports whether a rename to the schema name has begun and not ended.
func (t *Tenant) renaming(schema string) bool {
	return t.Operation != nil && t.Operation.Op == OpRename && t.Operation.Schema == schema
}

// claimNames sets the new slug and display name and reserves the schema name, all or none.
func claimNames(t *Tenant, p RenameParams) change {
	c := t.update("true", "name = coalesce(nullif($2, ''), name), slug = coalesce(nullif($3, ''), slug)", p.Name, p.Slug)
	if p.Schema != "" && p.Schema != t.Schema && !t.renaming(p.Schema) {
		c.with += ", claimed as (insert into {registry}.schema_names (name, tenant_id) values ($4, $1))"
		c.args = append(c.args, p.Schema)
	}
	return c
}

// renameSteps are the steps of a rename that follow the reservation of the new schema name.
func (m *Manager) renameSteps(l *lock, t *Tenant, schema string) []step {
	named := t.update("true", "schema_name = $2", schema)
	return []step{
		{name: "schema", run: func(ctx context.Context) error { return m.renameSchema(ctx, l, t, schema) }},
		{name: "switch", write: &named},
	}
}

// renameSchema renames schema and role. If another object of the server has the new name and the
// tenant's schema still has its old name, the rename is not possible. Then renameSchema ends the
// operation.
func (m *Manager) renameSchema(ctx context.Context, l *lock, t *Tenant, schema string) error {
	server, err := m.server(t)
	if err != nil {
		return err
	}
	_, err = admin.Rename(ctx, server, m.cfg.Roles, t.Schema, schema)
	if !errors.Is(err, admin.ErrTaken) {
		return err
	}
	unchanged, errExists := schemaExists(ctx, server, t.Schema)
	if errExists != nil || !unchanged {
		return errors.Join(err, errExists)
	}
	unclaimed := t.unchanged()
	unclaimed.with += ", unclaimed as (delete from {registry}.schema_names where name = $2 and tenant_id = $1)"
	unclaimed.args = append(unclaimed.args, schema)
	return errors.Join(err, l.change(ctx, t, unclaimed, &Operation{}))
}
