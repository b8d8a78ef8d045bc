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

// RenameParams say what [Manager.Rename] changes; what is empty stays.
type RenameParams struct {
	Name   string // display name, see [ValidateDisplayName]
	Slug   string // see [ValidateSlug]
	Schema string // see [schemactx.ValidateName]; one that no tenant has ever had, and not of the form tenant_<number>

	// AllowBroken renames the schema although the text of other objects has its old name, see
	// [admin.CheckRename]. The caller has to change these objects. Default: false, the rename
	// is refused.
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

// validateSchema reports whether a tenant can be given the name: the default ones are their ids',
// also of tenants to come.
func validateSchema(name string) error {
	if err := schemactx.ValidateName(name); err != nil {
		return err
	}
	if id, found := strings.CutPrefix(name, "tenant_"); found && id != "" && strings.Trim(id, "0123456789") == "" {
		return &schemactx.NameError{Name: name, Rule: "is a default name, tenant_<id>, and these are not chosen"}
	}
	return nil
}

// checkSchemaName refuses a schema name that the Migrator has on the path of every tenant, a
// [schemactx.SearchPathError], and one that is a role's, a [schemactx.NameError].
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

// Rename gives a tenant another display name, slug or schema name, or several of them. Nothing else
// refers to the schema by its name: its tables, its role's rights and its rows stay what they are.
//
// Refused input is a [FieldError], a [schemactx.NameError] or a [schemactx.SearchPathError],
// [ErrSlugTaken], a [StatusError], or, for a schema name that a tenant has or once had, this one
// too, or that something else has, [admin.ErrTaken]; if the text of functions, settings or
// expressions has the old name, a [admin.TextError]; while another operation on the tenant has not
// ended, a rename of the schema is a [BusyError]. Nothing was changed then.
//
// The schema is renamed in steps, as it may be on another server than the registry: the names are
// claimed, schema and role renamed, and the registry switched to the new name. When one fails the
// error is a [StepError]; after that and after a crash at any point the same Rename, or
// [Manager.Resume], goes on. Until the switch has reached every process, requests of the tenant
// fail with [schemactx.ErrSchemaMissing] or [schemactx.ErrNotProvisioned], or, in the middle of a
// statement, with PostgreSQL's undefined table (42P01); none finds another tenant's rows, as the
// old name is nobody's ever after. A maintenance ([Manager.StartMaintenance]) tells people to come
// again instead. Queries of programs that name the schema break, and so do passwords at level
// Logins, see [admin.Rename].
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

// lockToRename finds the tenant by its new slug too, where a rename that did not end has given it
// that: the new schema name, which is given out once, says that it is the same rename.
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

// checkRenamable reports whether the schema can get the name, as far as that can be told before anything
// is changed.
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

// renaming reports whether a rename to the schema name has not ended.
func (t *Tenant) renaming(schema string) bool {
	return t.Operation != nil && t.Operation.Op == OpRename && t.Operation.Schema == schema
}

// claimNames takes all names that only one tenant can have, so that it gets all or none.
func claimNames(t *Tenant, p RenameParams) change {
	c := t.update("true", "name = coalesce(nullif($2, ''), name), slug = coalesce(nullif($3, ''), slug)", p.Name, p.Slug)
	if p.Schema != "" && p.Schema != t.Schema && !t.renaming(p.Schema) {
		c.with += ", claimed as (insert into {registry}.schema_names (name, tenant_id) values ($4, $1))"
		c.args = append(c.args, p.Schema)
	}
	return c
}

// renameSteps end a rename of the schema whose new name is claimed.
func (m *Manager) renameSteps(l *lock, t *Tenant, schema string) []step {
	named := t.update("true", "schema_name = $2", schema)
	return []step{
		{name: "schema", run: func(ctx context.Context) error { return m.renameSchema(ctx, l, t, schema) }},
		{name: "switch", write: &named},
	}
}

// renameSchema ends the operation where the server has another object of the name and the tenant's
// schema has its old name still: the rename is not possible any more.
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
