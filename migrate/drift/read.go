package drift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// ReadOptions say how to read structures. The zero value is ready.
type ReadOptions struct {
	// Roles name the tenants' roles, which are written as {tenant}. Default: [schemactx.DefaultRoleNames] of the
	// database; a role that does not exist is not found in any grant.
	Roles schemactx.RoleNames

	// Batch is how many schemas are read in one query, and held in memory at a time. Default: 50. It is halved where the
	// server has no room for the locks that it takes on views and what they show.
	Batch int

	// LockTimeout bounds the wait for the lock on a view whose table is being altered. Default: 5 s, at least 1 ms.
	LockTimeout time.Duration
}

// maxReadAttempts is how often a batch is read while schemas change under it.
const maxReadAttempts = 5

// Read reads the structure of schemas, one after the other in their order, by a query for each batch of them. db
// is a pool, a connection or a transaction of any login: the catalogue is open to all. Between two structures no
// transaction is open, unless db is one.
//
// What is compared, and what is not: tables with partitioning, inheritance, row security and options; columns, their order among each
// other, constraints, indexes and whether they are valid, statistics objects, triggers and whether they are enabled,
// policies, rules, sequences, views, routines with their bodies, types, domains, operators, casts, collations, text search,
// extensions, owners, grants and default privileges. Of other things, that they are there. Not: comments, tablespaces, security labels,
// publications of single tables, what is in the tables, and what is but history: OIDs, gaps that dropped columns
// have left, names of TOAST tables, of the triggers of foreign keys, of identity sequences and of NOT NULL
// constraints, the order of grants and who granted.
//
// A schema that does not exist comes with [migrate.ErrSchemaMissing], a bad name with a [schemactx.NameError], one in which
// something is locked for too long with the server's error (55P03), and the others go on. Any other error ends the
// sequence. ctx governs all queries.
//
// The server's process remembers what it has read, some 170 kB for a schema of 20 tables: read thousands of schemas over
// more than one connection, as [Check] does.
func Read(ctx context.Context, db admin.Beginner, opts ReadOptions, schemas ...string) iter.Seq2[Structure, error] {
	return func(yield func(Structure, error) bool) {
		opts.Batch = cmp.Or(max(opts.Batch, 0), 50)
		opts.LockTimeout = max(cmp.Or(opts.LockTimeout, 5*time.Second), time.Millisecond)
		alone := 0 // how many of the next are read one by one, because one of them is in the way
		for attempt := 0; len(schemas) > 0; {
			n := min(opts.Batch, len(schemas))
			if alone > 0 {
				n = 1
			}
			batch, err := readStructures(ctx, db, opts, schemas[:n])
			switch {
			case stateIs(err, outOfSharedMemory) && n > 1:
				opts.Batch = n / 2
				continue
			case stateIs(err, internalError) && attempt < maxReadAttempts: // something was dropped between the query's snapshot and its functions
				attempt++
				continue
			case ofOneSchema(err) && n > 1:
				alone, attempt = n, 0
				continue
			case ofOneSchema(err):
				if !yield(Structure{Schema: schemas[0]}, fmt.Errorf("fingerprint schema %q: %w", schemas[0], err)) {
					return
				}
			case err != nil:
				yield(Structure{Schema: schemas[0]}, fmt.Errorf("fingerprint schemas from %q: %w", schemas[0], err))
				return
			}
			for i, objects := range batch {
				s := Structure{Schema: schemas[i], Objects: objects}
				if !yield(s, s.check()) {
					return
				}
			}
			schemas, attempt, alone = schemas[n:], 0, max(0, alone-n)
		}
	}
}

// ofOneSchema reports whether an error is about what is in a schema, and others may go better.
func ofOneSchema(err error) bool {
	return stateIs(err, lockNotAvailable, deadlockDetected, internalError, outOfSharedMemory)
}

// check returns why there is nothing in the structure, if there is not.
func (s Structure) check() error {
	if len(s.Objects) > 0 {
		return nil
	}
	err := migrate.ErrSchemaMissing
	if nameErr := readable(s.Schema); nameErr != nil {
		err = nameErr
	}
	return fmt.Errorf("fingerprint schema %q: %w", s.Schema, err)
}

// readable returns an error for what can be no tenant's schema, nor public.
func readable(schema string) error {
	if schema == schemactx.Public {
		return nil
	}
	return schemactx.ValidateName(schema)
}

// readStructures reads a batch in a transaction that changes nothing, not even the settings of one around it.
func readStructures(ctx context.Context, db admin.Beginner, opts ReadOptions, schemas []string) ([][]Object, error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	structures, err := readInTx(ctx, tx, opts, schemas)
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if endErr := tx.Rollback(ended); err == nil {
		err = endErr
	}
	return structures, err
}

func readInTx(ctx context.Context, tx pgx.Tx, opts ReadOptions, schemas []string) ([][]Object, error) {
	roles, err := rolesOf(ctx, tx, opts.Roles)
	if err != nil {
		return nil, err
	}
	names, tenants := make([]string, len(schemas)), make([]string, len(schemas))
	for i, schema := range schemas {
		if readable(schema) == nil { // else it finds nothing
			names[i], tenants[i] = schema, roles.Tenant(schema)
		}
	}
	//tenantvet:allow tenantsql the owner reads catalogs, in a transaction that ends with its settings
	if _, err := tx.Exec(ctx, planSettings, strconv.FormatInt(opts.LockTimeout.Milliseconds(), 10)); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, structureSQL, names, tenants)
	if err != nil {
		return nil, err
	}
	found := make([][]placed, len(schemas))
	var schema, index int
	var values []string
	var o placed
	_, err = pgx.ForEachRow(rows, []any{&schema, &index, &o.Kind, &o.Table, &o.Name, &o.position, &values}, func() error {
		found[schema-1] = append(found[schema-1], o.neutral(&parts[index], values, names[schema-1]))
		return nil
	})
	if err != nil {
		return nil, err
	}
	structures := make([][]Object, len(schemas))
	for i, objects := range found {
		structures[i] = sorted(objects)
	}
	return structures, nil
}

// neutral returns the object with its properties, the own schema's name taken out.
func (o placed) neutral(p *part, values []string, schema string) placed {
	o.Name = neutral(o.Name, schema)
	n := 0
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	o.Properties = make([]Property, 0, n)
	for i, v := range values {
		switch name := p.props[i].name; {
		case v == "":
		case name == p.list:
			o.Properties = append(o.Properties, Property{name, neutralList(v, schema)})
		default:
			o.Properties = append(o.Properties, Property{name, neutral(v, schema)})
		}
	}
	return o
}

func sorted(objects []placed) []Object {
	slices.SortFunc(objects, compareObjects)
	out := make([]Object, len(objects))
	for i, o := range objects {
		out[i] = o.Object
	}
	return out
}

// rolesOf returns roles, or those that a database has by default.
func rolesOf(ctx context.Context, q rowQuerier, roles schemactx.RoleNames) (schemactx.RoleNames, error) {
	if roles != (schemactx.RoleNames{}) {
		return roles, nil
	}
	var database string
	if err := q.QueryRow(ctx, "select current_database()").Scan(&database); err != nil {
		return roles, err
	}
	return schemactx.DefaultRoleNames(database), nil
}

// rowQuerier is a pool, a connection or a transaction.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// The SQLSTATEs that reading structures acts on.
const (
	lockNotAvailable  = "55P03"
	deadlockDetected  = "40P01"
	internalError     = "XX000"
	outOfSharedMemory = "53200"
)

func stateIs(err error, states ...string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(states, pgErr.Code)
}
