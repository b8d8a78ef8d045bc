package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// platform is a database with the tenants schoola, on plan "free", and schoolb, on plan "gold".
// Each has a table of a thousand students.
type platform struct {
	pg      *pgtest.DB
	owner   *pgxpool.Pool
	tenants *tenancy.Manager
	roles   schemactx.RoleNames
	pools   []*pgxpool.Pool
	hosts   tenanthttp.Resolver

	flooding string // the schema of schoola
}

const students = `-- +goose Up
create table students (id bigint primary key, name text not null);
insert into students select i, 'student ' || i from generate_series(1, 1000) i;
`

// newPlatform panics on an error, because examples use it too. done closes the pools.
func newPlatform(pg *pgtest.DB) (p *platform, done func()) {
	ctx := context.Background()
	p = &platform{pg: pg}
	var err error
	p.roles, err = schemactx.NewRoleNames(pg.RolePrefix)
	orPanic(err)
	_, err = admin.Setup(ctx, pg.Pool, admin.SetupConfig{Roles: p.roles, OwnerPassword: "o", RuntimePassword: "r"})
	orPanic(err)
	p.owner, err = pgxpool.New(ctx, pg.URLAs(p.roles.Owner(), "o"))
	orPanic(err)
	runner, err := migrate.New(p.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{"00001_students.sql": {Data: []byte(students)}}}},
	})
	orPanic(err)
	p.tenants, err = tenancy.New(p.owner, tenancy.Config{Migrator: runner, Roles: p.roles})
	orPanic(err)
	orPanic(p.tenants.Init(ctx))
	for slug, plan := range map[string]string{"schoola": "free", "schoolb": "gold"} {
		t, err := p.tenants.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		orPanic(err)
		_, err = p.tenants.Update(ctx, t, tenancy.Changes{Plan: &plan})
		orPanic(err)
	}
	p.refresh()
	return p, func() {
		for _, pool := range p.pools {
			pool.Close()
		}
		p.owner.Close()
	}
}

// refresh reads the tenants again, which the directory of package resolver does automatically.
func (p *platform) refresh() {
	byHost := map[string]*tenancy.Tenant{}
	for t, err := range p.tenants.All(context.Background(), tenancy.Filter{}) {
		orPanic(err)
		byHost[t.Slug+".example.com"] = &t
		if t.Slug == "schoola" {
			p.flooding = t.Schema
		}
	}
	p.hosts = tenanthttp.ResolverFunc(func(_ context.Context, host string) (tenanthttp.Target, error) {
		if t, ok := byHost[host]; ok {
			return tenanthttp.TenantTarget(t), nil
		}
		return tenanthttp.Target{}, tenancy.ErrUnknownHost
	})
}

// db returns a handle on a separate pool with the given number of connections.
func (p *platform) db(conns int32, cfg schemactx.Config) *schemactx.DB {
	poolConfig, err := pgxpool.ParseConfig(p.pg.URLAs(p.roles.Runtime(), "r"))
	orPanic(err)
	poolConfig.MaxConns, poolConfig.MinConns = conns, conns
	pool, err := pgxpool.NewWithConfig(context.Background(), poolConfig)
	orPanic(err)
	p.pools = append(p.pools, pool)
	cfg.Roles = p.roles
	db, err := schemactx.New(pool, cfg)
	orPanic(err)
	return db
}

// report serves a page that costs PostgreSQL about a millisecond.
func report(db *schemactx.DB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		err := db.QueryRow(r.Context(), "select count(distinct md5(name)) from students").Scan(&n)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			w.WriteHeader(http.StatusGatewayTimeout)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			fmt.Fprintln(w, n)
		}
	})
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
