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

// newSchools is what the examples of operations begin with: a manager on a database of its own, logged in as the owner, with
// one tenant for each slug, which is found at <slug>.example.com. Its Migrator and Roles are added to cfg. It panics when it
// fails; done closes and drops everything.
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
