package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// Rights lists the roles that may use the log.
type Rights struct {
	// Writers may add rows and do nothing else: they cannot read, change, delete or truncate, and
	// cannot set the time at which a row was received. If the program writes through a schemactx.DB,
	// the writer is the public role, [schemactx.RoleNames.Public]; the runtime login itself has no
	// privileges. A separate login with its own pool protects the log from code that runs in the
	// public scope.
	Writers []string

	// Readers may read the log and do nothing else, for a [Reader]. Default: only the owner.
	Readers []string

	// RegistrySchema is the schema of the log's tables, as in [tenancy.Config]. Default: public.
	RegistrySchema string
}

var logTables = []string{"audit_log", "audit_heads", "audit_ledger", "audit_checkpoints"}

// Grant grants the roles of r their rights, and revokes all other rights on the log from them and
// from PUBLIC. Other roles keep their rights. owner is the role that ran the migrations. Grant can
// be repeated; run it after the migrations at every start. A role that is listed twice is a
// [FieldError]. ctx governs its single transaction.
func Grant(ctx context.Context, owner admin.Beginner, r Rights) error {
	sql, err := r.sql()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql) // one round trip
		return err
	})
	if err != nil {
		return fmt.Errorf("grant rights on the audit log: %w", initialized(err))
	}
	return nil
}

func (r Rights) sql() (string, error) {
	if len(r.Writers)+len(r.Readers) == 0 {
		return "", errors.New("audit: Rights name no role")
	}
	schema, err := registrydb.Parse(r.RegistrySchema)
	if err != nil {
		return "", fmt.Errorf("audit: RegistrySchema: %w", err)
	}
	seen := map[string]bool{}
	tables := schema.SQL("{registry}." + strings.Join(logTables, ", {registry}."))
	// The lock serializes concurrent grants, for which PostgreSQL fails with "tuple concurrently
	// updated".
	b := &strings.Builder{}
	add := func(format string, args ...any) { fmt.Fprintf(b, schema.SQL(format)+";", args...) } // roles have no mark
	add("lock table {registry}.audit_checkpoints in share update exclusive mode; revoke all on %s from public", tables)
	grant := func(field string, roles []string, grants ...string) error {
		for _, role := range roles {
			if seen[role] {
				return &FieldError{Field: field, Value: role, Rule: "is named twice"}
			}
			seen[role] = true
			quoted, err := schemactx.QuoteName(role)
			if err != nil {
				return err
			}
			add("revoke all on %s from %s; revoke all on function {registry}.audit_tip, {registry}.audit_append from %[2]s",
				tables, quoted)
			add("revoke insert (%s), select (%[1]s), update (%[1]s), references (%[1]s) on {registry}.audit_log from %s",
				strings.Join(logColumns, ", "), quoted)
			add("revoke insert (%s), select (%[1]s), update (%[1]s), references (%[1]s) on {registry}.audit_heads from %s",
				headColumns, quoted)
			for _, g := range grants {
				add("grant "+g+" to %s", quoted)
			}
		}
		return nil
	}
	err = errors.Join(
		grant("writers", r.Writers, fmt.Sprintf("insert (%s) on {registry}.audit_log", strings.Join(logColumns, ", ")),
			fmt.Sprintf("insert (%s) on {registry}.audit_heads", headColumns),
			"execute on function {registry}.audit_tip, {registry}.audit_append", "usage on schema {registry}"),
		grant("readers", r.Readers, "select on "+tables, "usage on schema {registry}"))
	return b.String(), err
}

const headColumns = "chain, position, month, digest"
