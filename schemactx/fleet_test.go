package schemactx_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

const (
	fleetSize = 1000 // tenants in the database of the benchmarks
	fleetRows = 100  // students of each tenant
	// fleetConns is the size of every pool, so that all methods have the same number of connections.
	fleetConns = 16
	// fleetStatements is the capacity of every statement cache, of pgx and of schemactx. It has room
	// for one statement of every tenant, so that both sides of a comparison are warm.
	fleetStatements = 2048
)

// fleet is a database of many tenants and the means to reach it. Contexts and SQL are created
// beforehand, because creating them is not measured.
type fleet struct {
	pg    *pgtest.DB
	roles schemactx.RoleNames
	proxy *proxy // between pools and server; nil for none
	names []string
	base  context.Context   // can be canceled, as a request's context; has no schema
	ctxs  []context.Context // children of base, by tenant
}

// fleetTemplate is built once per test binary. Provision creates its schemas, roles and grants.
var fleetTemplate = pgtest.Template{Build: buildFleet}

func newFleet(b *testing.B) *fleet {
	b.Helper()
	f := &fleet{pg: fleetTemplate.New(b)}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(b, err)
	base, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	f.base = base
	for i := range fleetSize {
		f.names = append(f.names, fleetName(i))
		f.ctxs = append(f.ctxs, schemactx.NewContext(base, fleetName(i)))
	}
	return f
}

// pool returns a pool for a login, over TCP on 127.0.0.1, with room in its cache for each tenant's
// statement.
func (f *fleet) pool(b *testing.B, login, password string, options ...func(*pgxpool.Config)) *pgxpool.Pool {
	b.Helper()
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(login, password))
	require.NoError(b, err)
	cfg.MaxConns = fleetConns
	cfg.ConnConfig.StatementCacheCapacity = fleetStatements
	if f.proxy != nil {
		f.proxy.carry(cfg)
	}
	for _, set := range options {
		set(cfg)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	return pool
}

func fleetName(tenant int) string { return fmt.Sprintf("tenant_%d", tenant+1) }

func buildFleet(ctx context.Context, db *pgtest.DB) error {
	roles, err := schemactx.NewRoleNames(db.RolePrefix)
	if err != nil {
		return err
	}
	_, err = admin.Setup(
		ctx,
		db.Pool,
		admin.SetupConfig{Roles: roles, OwnerPassword: ownerPassword, RuntimePassword: runtimePassword},
	)
	if err != nil {
		return err
	}
	owner, err := pgx.Connect(ctx, db.URLAs(roles.Owner(), ownerPassword))
	if err != nil {
		return err
	}
	defer owner.Close(ctx)
	for i := range fleetSize {
		if _, err := admin.Provision(ctx, owner, roles, fleetName(i)); err != nil {
			return err
		}
		if _, err := owner.Exec(ctx, fleetTables(fleetName(i))); err != nil {
			return err
		}
	}
	return nil
}

// fleetTables returns the SQL for a tenant's tables, whose rows contain the tenant's name.
// Autovacuum is off: it would analyze some tables during a benchmark, and the planner would then
// use sequential scans for those, because they are small, and index scans for the others.
func fleetTables(schema string) string {
	var sql strings.Builder
	for _, table := range []string{"students", "classes"} {
		fmt.Fprintf(&sql, `create table %[1]s.%[2]s (id int primary key, name text not null, visits int not null default 0)
			with (autovacuum_enabled = false);
			insert into %[1]s.%[2]s select n, '%[1]s' from generate_series(1, %[3]d) n;`, schema, table, fleetRows)
	}
	return sql.String()
}
