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

// newSchools sets up the examples of operations: a manager on a database of its own, logged in as
// the owner role. It has one tenant for each slug, with the domain <slug>.example.com. It sets
// Migrator and Roles of cfg. It panics on an error. done closes and drops everything.
func newSchools(cfg tenancy.Config, slugs ...string) (m *tenancy.Manager, owner *pgxpool.Pool, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	noError(err)
	cfg.Roles, err = schemactx.NewRoleNames(pg.RolePrefix)
	noError(err)
	_, err = admin.Setup(ctx, pg.Pool, admin.SetupConfig{Roles: cfg.Roles, OwnerPassword: "o", RuntimePassword: "r"})
	noError(err)
	owner, err = pgxpool.New(ctx, pg.URLAs(cfg.Roles.Owner(), "o"))
	noError(err)
	cfg.Migrator, err = migrate.New(owner, migrations)
	noError(err)
	m, err = tenancy.New(owner, cfg)
	noError(err)
	noError(m.Init(ctx))
	for _, slug := range slugs {
		_, err := m.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		noError(err)
	}
	return m, owner, func() {
		owner.Close()
		noError(closeDB())
	}
}

func noError(err error) {
	if err != nil {
		panic(err)
	}
}
