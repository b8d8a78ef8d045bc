package manage_test

import (
	"context"
	"io"
	"os"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// A program mounts the commands and adds its own. Open opens the database when a command runs.
func ExampleCommand() {
	pg, closeDB, err := pgtest.Open(context.Background())
	orPanic(err)
	defer func() { orPanic(closeDB()) }()
	roles := schemactx.DefaultRoleNames(pg.Name)

	commands := func() *cobra.Command {
		root := manage.Command(manage.Config{
			Name: "school",
			Open: func(ctx context.Context) (*manage.App, error) {
				owner, err := pgxpool.New(ctx, pg.URLAs(roles.Owner(), "o"))
				if err != nil {
					return nil, err
				}
				runner, err := migrate.New(owner, migrate.Config{
					Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
					Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{
						"00001_students.sql": {Data: []byte("-- +goose Up\ncreate table students (id serial primary key, name text);\n")},
					}}},
				})
				if err != nil {
					return nil, err
				}
				tenants, err := tenancy.New(owner, tenancy.Config{Migrator: runner})
				return &manage.App{
					Tenants: tenants, Migrations: runner, Owner: owner, BaseDomain: "example.com",
					Close: func(context.Context) error { owner.Close(); return nil },
				}, err
			},
			Admin: func(ctx context.Context) (*manage.Admin, error) {
				conn, err := pgx.Connect(ctx, pg.URL)
				return &manage.Admin{
					DB: conn, Close: conn.Close, Setup: admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"},
				}, err
			},
		})
		root.AddCommand(&cobra.Command{Use: "serve", Short: "Serve the schools"})
		return root
	}

	// A program only calls os.Exit(manage.Run(ctx, commands())). This example runs several commands,
	// one after the other.
	run := func(stdout io.Writer, args ...string) {
		root := commands()
		root.SetArgs(args)
		root.SetOut(stdout)
		root.SetErr(io.Discard)
		if code := manage.Run(context.Background(), root); code != manage.CodeOK {
			panic(code)
		}
	}
	run(io.Discard, "init") // its output is discarded here
	run(os.Stdout, "tenant", "create", "--name", "School A", "--subdomain", "schoola")
	run(os.Stdout, "tenant", "list")

	// Output:
	// Created schoola (School A) in schema tenant_1.
	// ID  SLUG     STATUS  SCHEMA    PLAN  NAME
	// 1   schoola  active  tenant_1        School A
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
