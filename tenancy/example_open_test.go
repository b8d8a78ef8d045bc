package tenancy_test

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// openRegistry sets up an example: a database with roles and a registry, and a manager that change
// configures. It has one tenant for each slug, with the domain <slug>.example.com and a table
// notes. It panics on an error. done closes the manager's pool and drops the database.
func openRegistry(change func(cfg *tenancy.Config), slugs ...string) (tenants *tenancy.Manager, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	must(err)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	must(err)
	_, err = admin.Setup(ctx, pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	must(err)
	owner, err := pgxpool.New(ctx, pg.URLAs(roles.Owner(), "o"))
	must(err)
	runner, err := migrate.New(owner, migrations)
	must(err)
	cfg := tenancy.Config{Migrator: runner, Roles: roles}
	change(&cfg)
	tenants, err = tenancy.New(owner, cfg)
	must(err)
	must(tenants.Init(ctx))
	for _, slug := range slugs {
		_, err := tenants.Create(ctx, createParams(slug))
		must(err)
	}
	return tenants, func() {
		owner.Close()
		must(closeDB())
	}
}

// defaults changes nothing.
func defaults(*tenancy.Config) {}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
