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

// Rights say which roles may use the log.
type Rights struct {
	// Writers may add rows and nothing else: not read, change, delete or truncate, and not say when a
	// row was received. Where the program writes through a schemactx.DB it is the public role,
	// [schemactx.RoleNames.Public]; the runtime login itself has no rights anywhere. A login of its
	// own, with a pool of its own, keeps the log from what runs in the public scope.
	Writers []string

	// Readers may read the log and nothing else, for a [Reader]. Default: none but the owner.
	Readers []string

	// RegistrySchema is the schema of the log's tables, as in [tenancy.Config]. Default: public.
	RegistrySchema string
}

var logTables = []string{"audit_log", "audit_heads", "audit_ledger", "audit_checkpoints"}

// Grant gives the roles of r their rights and takes all others on the log from them and from
// PUBLIC; other roles keep what they have, which is nothing unless somebody else granted it. owner
// is the role that the migrations ran as. It can be run again, and belongs behind the migrations at
// every start. A role that is named twice is a [FieldError]. ctx governs the one transaction.
func Grant(ctx context.Context, owner admin.Beginner, r Rights) error {
	sql, err := r.sql()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql) // one string is one round trip
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
	// The lock is for two who grant at once, which PostgreSQL answers with "tuple concurrently
	// updated".
	b := &strings.Builder{}
	add := func(format string, args ...any) { fmt.Fprintf(b, schema.SQL(format)+";", args...) } // roles have no mark
	add("lock table {registry}.audit_checkpoints in share update exclusive mode; revoke all on %s from public", tables)
	grant := func(roles []string, grants ...string) error {
		for _, role := range roles {
			if seen[role] {
				return &FieldError{Field: "role", Value: role, Rule: "is named twice"}
			}
			seen[role] = true
			quoted, err := schemactx.QuoteName(role)
			if err != nil {
				return err
			}
			add(
				"revoke all on %s from %s; revoke all on function {registry}.audit_tip, {registry}.audit_append from %s",
				tables,
				quoted,
				quoted,
			)
			add("revoke insert (%s), select (%[1]s), update (%[1]s), references (%[1]s) on {registry}.audit_log from %s",
				strings.Join(logColumns, ", "), quoted)
			add(
				"revoke insert (%s), select (%[1]s), update (%[1]s), references (%[1]s) on {registry}.audit_heads from %s",
				headColumns,
				quoted,
			)
			for _, g := range grants {
				add("grant "+g+" to %s", quoted)
			}
		}
		return nil
	}
	err = errors.Join(
		grant(r.Writers, fmt.Sprintf("insert (%s) on {registry}.audit_log", strings.Join(logColumns, ", ")),
			fmt.Sprintf("insert (%s) on {registry}.audit_heads", headColumns),
			"execute on function {registry}.audit_tip, {registry}.audit_append", "usage on schema {registry}"),
		grant(r.Readers, "select on "+tables, "usage on schema {registry}"))
	return b.String(), err
}

const headColumns = "chain, position, month, digest"
