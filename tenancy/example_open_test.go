package tenancy_test

import (
	"context"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// openPlatform sets up the examples of drops and of the stock: a database with roles and registry,
// and a manager that change configures. Its tenants have a table notes. It panics on an error. done
// drops the database.
func openPlatform(change func(cfg *tenancy.Config)) (tenants *tenancy.Manager, done func()) {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	pg, closeDB, err := pgtest.Open(ctx)
	must(err)
	setUp, err := admin.Setup(ctx, pg.Pool, admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"})
	must(err)
	owner, err := pgxpool.New(ctx, pg.URLAs(setUp.Roles.Owner(), "o"))
	must(err)
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "notes", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	})
	must(err)
	cfg := tenancy.Config{Migrator: runner}
	change(&cfg)
	tenants, err = tenancy.New(owner, cfg)
	must(err)
	must(tenants.Init(ctx))
	return tenants, func() {
		owner.Close()
		must(closeDB())
	}
}
