package backup_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// fixture is a database with roles and a registry, and without tenants, and a directory for
// backups.
type fixture struct {
	pg      *pgtest.DB
	roles   schemactx.RoleNames
	owner   *pgxpool.Pool
	runner  *migrate.Runner
	tenants *tenancy.Manager
	dir     *backup.Dir
	path    string   // the path of dir
	extra   []string // schemas on the search path of every tenant
	home    string   // the schema of the registry; with all shared migrations, if it is not public
}

// notes are migrations that create a table of notes.
var notes = migrate.Source{Name: "test", FS: fstest.MapFS{
	"00001_notes.sql": {
		Data: []byte("-- +goose Up\ncreate table notes (id bigint generated always as identity primary key, body text);\n"),
	},
	"00002_tags.sql": {
		Data: []byte("-- +goose Up\ncreate table tags (note bigint references notes, tag text, primary key (note, tag));\n"),
	},
}}

// setup returns a fixture whose tenants have these migrations.
func setup(t testing.TB, sources ...migrate.Source) *fixture {
	t.Helper()
	f := &fixture{pg: pgtest.New(t)}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{
		Roles: f.roles, OwnerPassword: "o",
		RuntimePassword: "r",
	})
	require.NoError(t, err)
	f.owner, err = pgxpool.New(context.Background(), f.pg.URLAs(f.roles.Owner(), "o"))
	require.NoError(t, err)
	t.Cleanup(f.owner.Close)
	f.connect(t, sources...)
	require.NoError(t, f.tenants.Init(t.Context()))
	f.path = t.TempDir()
	f.dir, err = backup.OpenDir(f.path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.dir.Close()) })
	return f
}

// connect creates the objects that use the owner's pool.
func (f *fixture) connect(t testing.TB, sources ...migrate.Source) {
	t.Helper()
	var err error
	shared := []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}
	if f.home != "" {
		shared = append(shared, migrate.Source{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase},
			migrate.Source{Name: "backup", FS: backup.Migrations(), Base: backup.Base})
	}
	f.runner, err = migrate.New(f.owner, migrate.Config{
		Shared: shared, SharedSchema: f.home, Tenant: sources, ExtraSearchPath: f.extra,
	})
	require.NoError(t, err)
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{
		Migrator: f.runner, Roles: f.roles, Drop: tenancy.DropConfig{Enabled: true},
	})
	require.NoError(t, err)
}

// service returns a service on the fixture's database. Its store is the fixture's directory unless
// cfg has a store.
func (f *fixture) service(t testing.TB, cfg backup.Config) *backup.Service {
	t.Helper()
	cfg.Pool, cfg.Tenants, cfg.Migrations = f.owner, f.tenants, f.runner
	if cfg.Store == nil {
		cfg.Store = f.dir
	}
	s, err := backup.New(cfg)
	require.NoError(t, err)
	return s
}

func (f *fixture) create(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	require.NoError(t, err)
	return tenant
}

// own returns the prefix of the names of the registry's files in the store.
func (f *fixture) own(t testing.TB) string {
	t.Helper()
	id, err := f.tenants.Identity(context.Background())
	require.NoError(t, err)
	return id + "/"
}

// exec runs statements as the owner, with the tenant's schema on the search path. One string may
// have several statements.
func (f *fixture) exec(t testing.TB, schema, sql string) {
	t.Helper()
	path, err := schemactx.SearchPath(schema, f.extra)
	require.NoError(t, err)
	conn, err := f.owner.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Conn().PgConn().Exec(t.Context(), "begin; set local search_path = "+path+"; "+sql+"; commit").ReadAll()
	if err != nil {
		_, _ = conn.Conn().PgConn().Exec(t.Context(), "rollback").ReadAll()
	}
	require.NoError(t, err)
}

// objects returns the names of the objects in the fixture's directory.
func (f *fixture) objects(t testing.TB) []string {
	t.Helper()
	names := []string{}
	for o, err := range f.dir.List(context.Background(), "") {
		require.NoError(t, err)
		names = append(names, o.Name)
	}
	return names
}

// stored returns the content of an archive in the store.
func (f *fixture) stored(t testing.TB, name string, opts archive.ReaderOptions) (archive.Header, archive.Manifest,
	map[string]string,
) {
	t.Helper()
	file, err := f.dir.Open(t.Context(), name)
	require.NoError(t, err)
	defer file.Close()
	r, err := archive.NewReader(file, opts)
	require.NoError(t, err)
	defer r.Close()
	tables := make(map[string]string)
	for {
		table, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Header(), r.Manifest(), tables
		}
		require.NoError(t, err)
		text, err := io.ReadAll(table)
		require.NoError(t, err)
		tables[table.Name] = string(text)
	}
}

// plain reads archives that are neither encrypted nor signed.
var plain archive.ReaderOptions
