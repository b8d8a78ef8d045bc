package backup_test

import (
	"context"
	"os"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// platform is the base of the examples: a database of their own with one school, which has two
// students.
type platform struct {
	Owner   *pgxpool.Pool
	Runner  *migrate.Runner
	Tenants *tenancy.Manager
	Store   *backup.Dir
}

// newPlatform panics on an error. done removes everything.
func newPlatform() (p *platform, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	orPanic(err)
	report, err := admin.Setup(ctx, pg.Pool, admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"})
	orPanic(err)
	p = &platform{}
	p.Owner, err = pgxpool.New(ctx, pg.URLAs(report.Roles.Owner(), "o"))
	orPanic(err)
	p.Runner, err = migrate.New(p.Owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{"00001_students.sql": {Data: []byte(
			"-- +goose Up\ncreate table students (id serial primary key, name text not null, note text);\n",
		)}}}},
	})
	orPanic(err)
	p.Tenants, err = tenancy.New(p.Owner, tenancy.Config{Migrator: p.Runner})
	orPanic(err)
	orPanic(p.Tenants.Init(ctx))
	north, err := p.Tenants.Create(ctx, tenancy.CreateParams{Slug: "north", Domain: "north.example.com"})
	orPanic(err)
	_, err = p.Owner.Exec(ctx, "insert into "+north.Schema+".students (name, note) values ('Amara', ''), ('Bruno', null)")
	orPanic(err)
	dir, err := os.MkdirTemp("", "pgtenant-backups-*")
	orPanic(err)
	p.Store, err = backup.OpenDir(dir)
	orPanic(err)
	return p, func() {
		p.Owner.Close()
		orPanic(closeDB())
		orPanic(p.Store.Close())
		orPanic(os.RemoveAll(dir))
	}
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
