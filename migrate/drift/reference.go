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

// Reference returns the structure that the tenant migrations of r make. It runs all of them in a
// scratch schema and drops the schema. If the database has the roles of opts, the schema is created
// as [admin.Provision] creates a tenant's, with a role and grants. If opts.Roles is not set and the
// database was never set up, it is created by CREATE SCHEMA alone.
//
// The scratch schema has a random name that begins with pgtenant_scratch_ and a comment that says
// what it is for. No tenant has privileges on it, and it is in no list of tenants. A session holds
// a lock while the schema is in use, so that the pool of r must not go through a pooler in
// transaction mode. The next call drops what a crash has left. Concurrent calls, also of several
// processes, use different schemas.
//
// The errors are those of [migrate.Runner.Up]. ctx governs everything except
// the clean-up, which has a minute.
func Reference(ctx context.Context, r *migrate.Runner, opts ReadOptions) (Structure, error) {
	s, err := referenceIn(ctx, r, schemalock.ScratchPrefix+strings.ToLower(rand.Text()[:16]), opts)
	if err != nil {
		return Structure{}, fmt.Errorf("reference structure: %w", err)
	}
	return s, nil
}

func readOne(ctx context.Context, db beginner, schema string, opts ReadOptions) (Structure, error) {
	for s, err := range Read(ctx, db, opts, schema) {
		return s, err
	}
	return Structure{}, nil // there is one
}

// makeScratch creates a schema as a tenant's is created.
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
	} else if _, err := admin.ProvisionTx(ctx, tx, set, schema); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "comment on schema "+quoted+" is '"+schemalock.ScratchComment+"'")
	return err
}
