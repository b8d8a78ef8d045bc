package drift

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/schemalock"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// Reference returns the structure that the tenant migrations make, by running all of them in a new
// schema, as in a new tenant's, and dropping it. The schema is made as [admin.Provision] makes
// a tenant's, role and grants included, where the database has the roles of opts; by CREATE SCHEMA
// alone where opts.Roles is not set and the database was never set up.
//
// The schema has a random name that begins with pgtenant_scratch_, and a comment that says what it
// is for. No tenant has rights on it, and no list of tenants has it. A lock held by a session of
// its own shows that it is in use, so that the pool must not go through a pooler in transaction
// mode. What a crash has left is dropped by the next call. Calls at the same time, also of several
// processes, have schemas of their own.
//
// The errors are those of [migrate.Runner.Up]. ctx governs all of it, but for the cleaning up.
func Reference(ctx context.Context, r *migrate.Runner, opts ReadOptions) (Structure, error) {
	s, err := referenceIn(ctx, r, schemalock.ScratchPrefix+strings.ToLower(rand.Text()[:16]), opts)
	if err != nil {
		return Structure{}, fmt.Errorf("reference structure: %w", err)
	}
	return s, nil
}

func readOne(ctx context.Context, db admin.Beginner, schema string, opts ReadOptions) (Structure, error) {
	for s, err := range Read(ctx, db, opts, schema) {
		return s, err
	}
	return Structure{}, nil // there is one
}

// makeScratch makes a schema as a tenant's is made.
func makeScratch(ctx context.Context, tx pgx.Tx, schema string, roles schemactx.RoleNames) error {
	set, err := rolesOf(ctx, tx, roles)
	if err != nil {
		return err
	}
	provision := roles != (schemactx.RoleNames{})
	if !provision {
		err := tx.QueryRow(ctx, "select exists (select from pg_roles where rolname = $1)", set.Runtime()).Scan(&provision)
		if err != nil {
			return err
		}
	}
	quoted, err := schemactx.QuoteName(schema)
	if err != nil {
		return err
	}
	if !provision {
		if _, err := tx.Exec(ctx, "create schema "+quoted); err != nil {
			return err
		}
	} else if _, err := admin.Provision(ctx, tx, set, schema); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "comment on schema "+quoted+" is '"+schemalock.ScratchComment+"'")
	return err
}
