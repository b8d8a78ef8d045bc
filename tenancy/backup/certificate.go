package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Certificate lists what was deleted of an erased tenant and what was kept, as checked at ErasedAt.
// It can be encoded as JSON; [Certificate.Text] returns it as text.
type Certificate struct {
	TenantID      int64           `json:"tenantID"`
	Slug          string          `json:"slug"`
	Actor         string          `json:"actor"` // who requested the erasure
	BegunAt       time.Time       `json:"begunAt"`
	ErasedAt      time.Time       `json:"erasedAt"` // time of the check, by the later clock of server and process
	Removed       []CertifiedItem `json:"removed"`
	Kept          []CertifiedItem `json:"kept"`
	ArchivesUntil time.Time       `json:"archivesUntil,omitzero"` // when kept archives are deleted; zero: none
	Checks        []string        `json:"checks"`                 // the catalogs, tables and listings that were checked
}

// CertifiedItem is one item that was deleted or kept.
type CertifiedItem struct {
	What string `json:"what"`           // "schema", "domain", "rows of the access log"
	Name string `json:"name,omitempty"` // name of the item
	Why  string `json:"why,omitempty"`  // reason why an item is kept
}

func (i CertifiedItem) String() string {
	text := i.What
	if i.Name != "" {
		text += " " + i.Name
	}
	if i.Why != "" {
		text += ": " + i.Why
	}
	return text
}

// ErrLeftover is wrapped by a [LeftoverError].
var ErrLeftover = errors.New("erasure is incomplete")

// LeftoverError is returned by [Service.Erase] if something that should have been deleted still
// exists. No certificate is issued then.
type LeftoverError struct {
	TenantID  int64
	Leftovers []string // at least one: "schema tenant_1"
}

// Error lists what still exists.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("tenant %d: %v: %s", e.TenantID, ErrLeftover, strings.Join(e.Leftovers, ", "))
}

// Unwrap returns [ErrLeftover].
func (e *LeftoverError) Unwrap() error { return ErrLeftover }

func (s *Service) newCertificate(e *erasure) Certificate {
	c := Certificate{TenantID: e.TenantID, Slug: e.Slug, Actor: e.Actor, BegunAt: e.begun.UTC(), Kept: []CertifiedItem{}}
	c.Removed = append(c.Removed, certifiedItems("schema with its contents", e.Schemas)...)
	for _, schema := range e.Schemas {
		c.Removed = append(c.Removed, CertifiedItem{What: "role", Name: s.cfg.Tenants.Roles().Tenant(schema)})
	}
	c.Removed = append(c.Removed, certifiedItems("domain", e.Domains)...)
	c.Removed = append(c.Removed, CertifiedItem{What: "row of the registry", Name: e.Slug})
	return c
}

func certifiedItems(what string, names []string) (list []CertifiedItem) {
	for _, name := range names {
		list = append(list, CertifiedItem{What: what, Name: name})
	}
	return list
}

// checkErased queries the catalog, the registry and the store for leftovers, and adds what is kept
// to the certificate.
func (s *Service) checkErased(ctx context.Context, e *erasure, c *Certificate) error {
	var left []string
	roles := make([]string, len(e.Schemas))
	for i, schema := range e.Schemas {
		roles[i] = s.cfg.Tenants.Roles().Tenant(schema)
	}
	found, err := names(ctx, s.cfg.Pool, `select 'schema ' || nspname from pg_catalog.pg_namespace where nspname = any ($1)
		union all select 'role ' || rolname from pg_catalog.pg_roles where rolname = any ($2)`, e.Schemas, roles)
	if err != nil {
		return err
	}
	left = append(left, found...)
	found, err = names(ctx, s.registry, `select 'registry row ' || id from {registry}.tenants where id = $1
		union all select 'domain ' || host from {registry}.domains where tenant_id = $1
		union all select 'auxiliary schema ' || schema_name from {registry}.side_schemas where tenant_id = $1`, e.TenantID)
	if err != nil {
		return err
	}
	left = append(left, found...)
	c.Checks = []string{"pg_namespace", "pg_roles", "registry: tenants, domains, side_schemas"}
	if s.cfg.Store != nil {
		files, err := s.filesOf(ctx, e.TenantID)
		if err != nil {
			return err
		}
		c.Checks = append(c.Checks, "listing of the backup store")
		if e.keep == 0 {
			left = append(left, files...)
		}
		unbound, err := namesOf(ctx, s.cfg.Store, legacyPrefix(e.TenantID))
		if err != nil {
			return err
		}
		for _, name := range unbound {
			left = append(left, "file without a registry in its name: "+name)
		}
		for _, item := range certifiedItems("file in the backup store", files) {
			item.Why = fmt.Sprintf("kept for %v after the erasure", e.keep)
			c.Kept = append(c.Kept, item)
		}
	}
	if len(left) > 0 {
		return &LeftoverError{TenantID: e.TenantID, Leftovers: left}
	}
	now, err := s.readClocks(ctx)
	if err != nil {
		return err
	}
	c.ErasedAt = now.later().UTC()
	if e.keep > 0 {
		c.ArchivesUntil = c.ErasedAt.Add(e.keep)
	}
	return s.listKept(ctx, e, c)
}

// listKept adds the records that the registry keeps on purpose.
func (s *Service) listKept(ctx context.Context, e *erasure, c *Certificate) error {
	requests, err := names(ctx, s.registry,
		"select id::text from {registry}.drop_requests where tenant_id = $1 order by id", e.TenantID)
	if err != nil {
		return err
	}
	for _, id := range requests {
		c.Kept = append(c.Kept, CertifiedItem{
			What: "drop request", Name: id,
			Why: "records who dropped the tenant and when; of the tenant it contains only the id",
		})
	}
	for _, schema := range e.Schemas {
		c.Kept = append(c.Kept, CertifiedItem{What: "name of the schema", Name: schema, Why: "is never used again"})
	}
	c.Kept = append(c.Kept, CertifiedItem{What: "this certificate", Why: "proves the erasure"})
	return nil
}

func names(ctx context.Context, q querier, sql string, args ...any) ([]string, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Text returns the certificate as text of several lines.
func (c Certificate) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Certificate of erasure\n\nTenant %d (%s), requested by %s.\nStarted %s, checked %s.\n",
		c.TenantID, c.Slug, c.Actor, c.BegunAt.UTC().Format(time.RFC3339), c.ErasedAt.UTC().Format(time.RFC3339))
	fmt.Fprintf(&b, "Checked: %s.\n\nDeleted:\n", strings.Join(c.Checks, "; "))
	for _, item := range c.Removed {
		fmt.Fprintf(&b, "- %s\n", item)
	}
	b.WriteString("\nKept:\n")
	for _, item := range c.Kept {
		fmt.Fprintf(&b, "- %s\n", item)
	}
	if !c.ArchivesUntil.IsZero() {
		fmt.Fprintf(&b, "\nThe files in the backup store will be deleted after %s.\n",
			c.ArchivesUntil.UTC().Format(time.RFC3339))
	}
	return b.String()
}
