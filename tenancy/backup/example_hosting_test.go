package backup_test

import (
	"context"
	"os"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// hosting is a database for examples, with two tenants that have one note each.
type hosting struct {
	owner   *pgxpool.Pool
	runner  *migrate.Runner
	tenants *tenancy.Manager
	store   *backup.Dir
	backups *backup.Service
	close   func()

	runtimeURL string // of the runtime login
}

// openHosting creates a hosting with a changed configuration.
func openHosting(change func(cfg *tenancy.Config, b *backup.Config)) *hosting {
	ctx := context.Background()
	db, closeDB, err := pgtest.Open(ctx)
	mustHost(err)
	p := &hosting{}
	roles, err := schemactx.NewRoleNames(db.RolePrefix)
	mustHost(err)
	_, err = admin.Setup(ctx, db.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	mustHost(err)
	p.runtimeURL = db.URLAs(roles.Runtime(), "r")
	p.owner, err = pgxpool.New(ctx, db.URLAs(roles.Owner(), "o"))
	mustHost(err)
	p.runner, err = migrate.New(p.owner, migrate.Config{
		Shared: []migrate.Source{
			{Name: "tenancy", FS: tenancy.Migrations()},
			{Name: "backup", FS: backup.Migrations(), Base: backup.Base},
		},
		Tenant: []migrate.Source{{Name: "notes", FS: fstest.MapFS{
			"00001_notes.sql": {
				Data: []byte(
					"-- +goose Up\ncreate table notes (id bigint generated always as identity, author text, body text);\n",
				),
			},
		}}},
	})
	mustHost(err)
	dir, err := os.MkdirTemp("", "pgtenant-example-")
	mustHost(err)
	p.store, err = backup.OpenDir(dir)
	mustHost(err)
	cfg := tenancy.Config{Migrator: p.runner, Roles: roles, Drop: tenancy.DropConfig{Enabled: true}}
	b := backup.Config{Pool: p.owner, Migrations: p.runner, Store: p.store}
	if change != nil {
		change(&cfg, &b)
	}
	p.tenants, err = tenancy.New(p.owner, cfg)
	mustHost(err)
	mustHost(p.tenants.Init(ctx))
	for _, slug := range []string{"north", "south"} {
		t, err := p.tenants.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		mustHost(err)
		_, err = p.owner.Exec(ctx, "insert into "+t.Schema+".notes (author, body) values ('ada@example.com', $1)", "of "+slug)
		mustHost(err)
	}
	b.Tenants = p.tenants
	p.backups, err = backup.New(b)
	mustHost(err)
	p.close = func() {
		p.owner.Close()
		mustHost(p.store.Close())
		mustHost(os.RemoveAll(dir))
		mustHost(closeDB())
	}
	return p
}

func mustHost(err error) {
	if err != nil {
		panic(err)
	}
}
