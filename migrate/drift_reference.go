package migrate

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// scratchPrefix begins the names of schemas in which a reference is built.
const scratchPrefix = "pgtenant_scratch_"

// Reference returns the structure that the tenant migrations make, by running all of them in a new schema that is then
// taken away again. The schema is made as [schemactx.Provision] makes a tenant's, role and grants included, where the database
// has the roles of opts; by CREATE SCHEMA alone where opts.Roles is not set and the database was never set up.
//
// It happens in one transaction that is rolled back, so that nothing of it is ever seen, whatever crashes; a Go migration
// that commits is the exception, an error ([ErrTransactionEnded]), and cleaned up by the next call. What migrations lock outside of their schema, as by a foreign key, stays locked until then.
//
// Migrations with NO TRANSACTION cannot run like that, and to run something else in their place would prove
// nothing. Where there are any, the schema is a real one with a random name that begins with pgtenant_scratch_. It is dropped
// at the end; one that a crash has left is dropped by the next call. A lock held by its session shows that it is in
// use, so that the pool must not go through a pooler in transaction mode then; and CREATE INDEX CONCURRENTLY waits for
// other transactions as it does anywhere.
//
// The errors are those of [Runner.Up]. ctx governs all of it, but for the cleaning up.
func (r *Runner) Reference(ctx context.Context, opts FingerprintOptions) (Structure, error) {
	build := r.referenceInTx
	for _, m := range r.tenant {
		if m.noTx {
			build = r.referenceInSchema
		}
	}
	if err := r.checkPath(ctx); err != nil {
		return Structure{}, err
	}
	target, err := r.target(scratchPrefix + strings.ToLower(rand.Text()[:16]))
	if err != nil {
		return Structure{}, err
	}
	s, err := build(ctx, target, opts)
	if err != nil {
		return Structure{}, fmt.Errorf("reference structure: %w", err)
	}
	return s, nil
}

func (r *Runner) referenceInTx(ctx context.Context, t target, opts FingerprintOptions) (Structure, error) {
	var s Structure
	err := r.retry(ctx, func() (bool, error) {
		session, err := r.session(ctx, t)
		if err != nil {
			return false, err
		}
		defer session.close(ctx)
		s, err = session.scratch(ctx, opts)
		session.rollback(ctx)
		return retryable(err), err
	})
	return s, err
}

// scratch makes the schema and runs all migrations in a transaction, as [Runner.Up] does but for the commit, and
// leaves it open.
func (s *session) scratch(ctx context.Context, opts FingerprintOptions) (Structure, error) {
	if _, err := sweepScratch(ctx, s.conn(), opts.Roles); err != nil {
		s.spent = true // it may hold a lock
		return Structure{}, err
	}
	tx, err := s.conn().BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return Structure{}, err
	}
	if err := makeScratch(ctx, tx, s.t, opts.Roles); err != nil {
		return Structure{}, err
	}
	st, grantees, err := s.open(ctx) // its BEGIN finds one begun, and says so in a warning
	if err != nil {
		return Structure{}, err
	}
	steps, err := s.t.next(upTo{Newest}, st)
	if err != nil {
		return Structure{}, err
	}
	calls := s.t.finish(st, grantees, steps)
	if err := s.send(ctx, calls[:len(calls)-1]); err != nil { // the last one is the commit
		return Structure{}, err
	}
	return readOne(ctx, tx, s.t, opts)
}

func readOne(ctx context.Context, db schemactx.Beginner, t target, opts FingerprintOptions) (Structure, error) {
	for s, err := range Fingerprint(ctx, db, opts, t.schema) {
		return s, err
	}
	return Structure{}, nil // there is one
}

// makeScratch makes a schema as a tenant's is made.
func makeScratch(ctx context.Context, tx pgx.Tx, t target, roles schemactx.RoleNames) error {
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
	quoted, err := schemactx.QuoteName(t.schema)
	if err != nil {
		return err
	}
	if !provision {
		if _, err := tx.Exec(ctx, "create schema "+quoted); err != nil {
			return err
		}
	} else if _, err := schemactx.Provision(ctx, tx, set, t.schema); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "comment on schema "+quoted+" is '"+scratchComment+"'")
	return err
}
