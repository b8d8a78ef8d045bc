package backup_test

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// northern is the base of the examples of restores: a tenant "north" with two pupils, and backups
// in a directory.
type northern struct {
	tenants *tenancy.Manager
	backups *backup.Service
	owner   *pgxpool.Pool
}

// openNorth panics on an error. done drops the database and removes the directory.
func openNorth() (s northern, done func()) {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	pg, closeDB, err := pgtest.Open(ctx)
	must(err)
	setUp, err := admin.Setup(ctx, pg.Pool, admin.SetupConfig{OwnerPassword: "o"})
	must(err)
	s.owner, err = pgxpool.New(ctx, pg.URLAs(setUp.Roles.Owner(), "o"))
	must(err)
	runner, err := migrate.New(s.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{
			"00001_pupils.sql": {
				Data: []byte("-- +goose Up\ncreate table pupils (id int primary key, name text, email text);\n"),
			},
		}}},
	})
	must(err)
	s.tenants, err = tenancy.New(s.owner, tenancy.Config{Migrator: runner, Drop: tenancy.DropConfig{Enabled: true}})
	must(err)
	must(s.tenants.Init(ctx))
	path, err := os.MkdirTemp("", "backups")
	must(err)
	dir, err := backup.OpenDir(path)
	must(err)
	s.backups, err = backup.New(backup.Config{Pool: s.owner, Tenants: s.tenants, Migrations: runner, Store: dir})
	must(err)
	north, err := s.tenants.Create(ctx, tenancy.CreateParams{Slug: "north", Domain: "north.example.com"})
	must(err)
	_, err = s.owner.Exec(ctx, "insert into "+north.Schema+".pupils values (1, 'Ann', 'ann@example.com'), (2, 'Bo', null)")
	must(err)
	return s, func() {
		s.owner.Close()
		must(dir.Close())
		must(os.RemoveAll(path))
		must(closeDB())
	}
}

// print prints the pupils of a tenant.
func (s northern) print(slug string) {
	t, err := s.tenants.BySlug(context.Background(), slug)
	if err != nil {
		fmt.Println(err)
		return
	}
	var pupils string
	err = s.owner.QueryRow(context.Background(), `select string_agg(name || ' ' || coalesce(email, '-'), ', ' order by id)
		from `+t.Schema+".pupils").Scan(&pupils)
	fmt.Println(slug+":", pupils, err)
}
