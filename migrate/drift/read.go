package drift

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/sqlstate"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// ReadOptions say how to read structures. The zero value is ready to use.
type ReadOptions struct {
	// Roles are the names of the database's roles; a tenant's role is written as {tenant}. A role that
	// does not exist is in no grant. Default: [schemactx.DefaultRoleNames] of the database.
	Roles schemactx.RoleNames

	// Batch is how many schemas are read in one query and are in memory at a time. It is halved if the
	// server's lock table is full: reading a view locks the view and its tables. Default: 50.
	Batch int

	// LockTimeout bounds the wait for the lock on a view whose table is being altered. Default: 5 s;
	// at least 1 ms.
	LockTimeout time.Duration
}

// beginner is a pool, a connection or a transaction.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// maxReadAttempts bounds how often a batch is read again because a schema changed in between.
const maxReadAttempts = 5

// Read reads the structures of schemas, in their order, with one query for each batch. db is a
// pool, a connection or a transaction of any login, because every role can read the catalogs. No
// transaction is open between two structures, unless db is one.
//
// Read:
//   - tables with partitioning, inheritance, row security and options; columns and their order,
//     constraints, indexes and whether they are valid, statistics objects, triggers and whether
//     they are enabled, policies, rules, sequences and views;
//   - routines with their bodies, types, domains, operators, casts, collations, text search,
//     extensions;
//   - owners, grants and default privileges;
//   - of any other object, that it exists.
//
// Not read: comments, tablespaces, security labels, publications of single tables and rows. Nor are
// OIDs, the gaps that dropped columns leave, the order of grants and their grantors, and the names
// of TOAST tables, triggers of foreign keys, identity sequences and NOT NULL constraints.
//
// A schema that does not exist is yielded with [migrate.ErrSchemaMissing], a bad name with a
// [schemactx.NameError], and a schema with an object that is locked for too long with the server's
// error (55P03); the sequence goes on after them. Any other error ends the sequence. ctx governs
// all queries.
//
// The server process caches what it has read, some 170 kB for a schema of 20 tables. Read thousands
// of schemas over more than one connection, as [Check] does.
func Read(ctx context.Context, db beginner, opts ReadOptions, schemas ...string) iter.Seq2[Structure, error] {
	return func(yield func(Structure, error) bool) {
		opts.Batch = cmp.Or(max(opts.Batch, 0), 50)
		opts.LockTimeout = max(cmp.Or(opts.LockTimeout, 5*time.Second), time.Millisecond)
		alone := 0 // how many of the next schemas are read one by one, because the batch failed for one of them
		for attempt := 0; len(schemas) > 0; {
			n := min(opts.Batch, len(schemas))
			if alone > 0 {
				n = 1
			}
			batch, err := readStructures(ctx, db, opts, schemas[:n])
			switch {
			case sqlstate.Is(err, sqlstate.OutOfSharedMemory) && n > 1:
				opts.Batch = n / 2
				continue
			case sqlstate.Is(err, sqlstate.InternalError) && attempt < maxReadAttempts:
				// An object was dropped between the query's snapshot and its functions.
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

// ofOneSchema reports whether an error concerns the objects of one schema, so that others can still
// be read.
func ofOneSchema(err error) bool {
	return sqlstate.Is(err,
		sqlstate.LockNotAvailable, sqlstate.Deadlock, sqlstate.InternalError, sqlstate.OutOfSharedMemory)
}

// check returns the error for a structure without objects, or nil.
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

// readable returns an error for a name that is neither a valid schema name nor public.
func readable(schema string) error {
	if schema == schemactx.Public {
		return nil
	}
	return schemactx.ValidateName(schema)
}

// readStructures reads a batch in a transaction that it rolls back, so that not even the settings
// of an outer transaction change.
func readStructures(ctx context.Context, db beginner, opts ReadOptions, schemas []string) ([][]Object, error) {
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

// neutral returns the object with its properties. The schema's own name is replaced by the
// placeholder.
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

// rolesOf returns roles, or the default names for the database if roles is not set.
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
