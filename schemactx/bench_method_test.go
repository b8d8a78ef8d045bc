package schemactx_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// method is a way to read one small row of one tenant by its primary key. All methods do the same
// work: one QueryRow, one Scan, with a context that can be canceled.
//
//	raw             pgx alone: qualified names, so one SQL text per tenant, with a login that
//	                may read everything. No isolation; the upper limit of what pgx can do.
//	raw-exec        raw with unnamed statements
//	hook            the usual recipe: SET search_path and role when a connection is acquired,
//	                RESET when it is released, each in one round trip
//	setlocal        begin, SET LOCAL of both, read, commit, with plain pgx: five round trips
//	pathonly        schemactx at PathOnly, with a login that may read everything
//	roles           schemactx at Roles, with the runtime login
//	pathonly-exec   pathonly with unnamed statements
//	roles-exec      roles with unnamed statements
type method struct {
	name string
	open func(b *testing.B, f *fleet) *reader
}

var methods = []method{
	{"raw", func(b *testing.B, f *fleet) *reader { return openRaw(b, f) }},
	{"raw-exec", func(b *testing.B, f *fleet) *reader { return openRaw(b, f, unprepared) }},
	{"hook", openHook},
	{"setlocal", openSetLocal},
	{"pathonly", func(b *testing.B, f *fleet) *reader { return openDB(b, f, schemactx.PathOnly) }},
	{"roles", func(b *testing.B, f *fleet) *reader { return openDB(b, f, schemactx.Roles) }},
	{"pathonly-exec", func(b *testing.B, f *fleet) *reader { return openDB(b, f, schemactx.PathOnly, unprepared) }},
	{"roles-exec", func(b *testing.B, f *fleet) *reader { return openDB(b, f, schemactx.Roles, unprepared) }},
}

// methodNamed returns the method with that name.
func methodNamed(b *testing.B, name string) method {
	b.Helper()
	for _, w := range methods {
		if w.name == name {
			return w
		}
	}
	require.Failf(b, "no such method", "%q", name)
	return method{}
}

// studentSQL finds the tenant's table by the search path.
const studentSQL = "select name from students where id = $1"

// reader is a method on an open pool.
type reader struct {
	fleet *fleet
	pool  *pgxpool.Pool
	db    *schemactx.DB // nil for the methods without schemactx
	row   func(tenant, id int) (string, error)
}

// read reads a row and checks that it belongs to the tenant.
func (r *reader) read(tenant, id int) error {
	name, err := r.row(tenant, id)
	if err == nil && name != r.fleet.names[tenant] {
		err = fmt.Errorf("read a row of %q in %q", name, r.fleet.names[tenant])
	}
	return err
}

// warm makes every connection of the pool read from each of the tenants. It holds all connections
// but one, in turn, so that the reads use that one.
func (r *reader) warm(b *testing.B, tenants int) {
	b.Helper()
	held := make([]*pgxpool.Conn, fleetConns)
	var err error
	for i := range held {
		held[i], err = r.pool.Acquire(r.fleet.ctxs[0])
		require.NoError(b, err)
	}
	for i := range held {
		held[i].Release()
		for tenant := range tenants {
			require.NoError(b, r.read(tenant, 1))
		}
		held[i], err = r.pool.Acquire(r.fleet.ctxs[0])
		require.NoError(b, err)
	}
	for _, conn := range held {
		conn.Release()
	}
	require.Equal(b, int32(fleetConns), r.pool.Stat().TotalConns(), "connections, want")
}

func openRaw(b *testing.B, f *fleet, options ...func(*pgxpool.Config)) *reader {
	b.Helper()
	r := &reader{fleet: f, pool: f.pool(b, f.roles.Owner(), ownerPassword, options...)}
	sql := make([]string, len(f.names))
	for i, name := range f.names {
		sql[i] = "select name from " + name + ".students where id = $1"
	}
	r.row = func(tenant, id int) (name string, err error) {
		err = r.pool.QueryRow(f.base, sql[tenant], id).Scan(&name)
		return name, err
	}
	return r
}

func openDB(b *testing.B, f *fleet, level schemactx.Level, options ...func(*pgxpool.Config)) *reader {
	b.Helper()
	return openConfigured(b, f, schemactx.Config{Level: level}, options...)
}

func openConfigured(b *testing.B, f *fleet, cfg schemactx.Config, options ...func(*pgxpool.Config)) *reader {
	b.Helper()
	login, password := f.roles.Runtime(), runtimePassword
	if cfg.Level == schemactx.PathOnly {
		login, password = f.roles.Owner(), ownerPassword
	}
	r := &reader{fleet: f, pool: f.pool(b, login, password, options...)}
	var err error
	cfg.Roles, cfg.StatementCacheCapacity = f.roles, fleetStatements
	r.db, err = schemactx.New(r.pool, cfg)
	require.NoError(b, err)
	r.row = func(tenant, id int) (name string, err error) {
		err = r.db.QueryRow(f.ctxs[tenant], studentSQL, id).Scan(&name)
		return name, err
	}
	return r
}

func openHook(b *testing.B, f *fleet) *reader {
	b.Helper()
	enter := make(map[string]string)
	for _, name := range f.names {
		enter[name] = fmt.Sprintf("set search_path to %q; set role %q", name, f.roles.Tenant(name))
	}
	run := func(ctx context.Context, conn *pgx.Conn, sql string) error {
		return conn.PgConn().Exec(ctx, sql).Close()
	}
	r := &reader{fleet: f, pool: f.pool(b, f.roles.Runtime(), runtimePassword, func(cfg *pgxpool.Config) {
		cfg.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			schema, _ := schemactx.FromContext(ctx)
			err := run(ctx, conn, enter[schema])
			return err == nil, err
		}
		cfg.AfterRelease = func(conn *pgx.Conn) bool {
			return run(context.Background(), conn, "reset role; reset search_path") == nil
		}
	})}
	r.row = func(tenant, id int) (name string, err error) {
		err = r.pool.QueryRow(f.ctxs[tenant], studentSQL, id).Scan(&name)
		return name, err
	}
	return r
}

func openSetLocal(b *testing.B, f *fleet) *reader {
	b.Helper()
	r := &reader{fleet: f, pool: f.pool(b, f.roles.Runtime(), runtimePassword)}
	path, role := make([]string, len(f.names)), make([]string, len(f.names))
	for i, name := range f.names {
		path[i] = fmt.Sprintf("set local search_path to %q", name)
		role[i] = fmt.Sprintf("set local role %q", f.roles.Tenant(name))
	}
	r.row = func(tenant, id int) (name string, err error) {
		ctx := f.ctxs[tenant]
		err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, path[tenant]); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, role[tenant]); err != nil {
				return err
			}
			return tx.QueryRow(ctx, studentSQL, id).Scan(&name)
		})
		return name, err
	}
	return r
}
