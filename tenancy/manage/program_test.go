package manage_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/user"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// program describes the program that runs the commands: a registry, an access log, backups in a
// directory.
type program struct {
	admin, owner, runtime string // URLs
	prefix                string // prefix of the role names
	store                 string // directory of the backups; "" for no backups
	migrations            string // directory of further tenant migrations; "" for none
	actor                 string // default: the operating system's user
	fourEyes              bool
	secret                string   // from which the tenants' logins get passwords; "" for no logins
	all                   bool     // also configures what is optional
	strict                bool     // refuses migrations whose files were edited after they were applied
	plans                 []string // the configured plans; none means any
	noPasswords           bool     // gives init no passwords for the two logins
	killed                bool     // gets a SIGINT when its canaries are migrated
	extensions, path      []string // names of extensions for init, and the extra search path
}

// programOf returns the program that the environment describes.
func programOf(env func(string) string) program {
	return program{
		admin: env("SCHOOL_ADMIN"), owner: env("SCHOOL_OWNER"), runtime: env("SCHOOL_RUNTIME"), prefix: env("SCHOOL_PREFIX"),
		store: env("SCHOOL_STORE"), migrations: env("SCHOOL_MIGRATIONS"), actor: env("SCHOOL_ACTOR"),
		fourEyes: env("SCHOOL_FOUR_EYES") != "", secret: env("SCHOOL_SECRET"),
		strict: env("SCHOOL_STRICT") != "", all: env("SCHOOL_ALL") != "", killed: env("SCHOOL_KILLED") != "",
		plans:      strings.Fields(env("SCHOOL_PLANS")),
		extensions: strings.Fields(env("SCHOOL_EXTENSIONS")), path: strings.Fields(env("SCHOOL_PATH")),
	}
}

// env returns the environment that describes the program.
func (p program) env() map[string]string {
	return map[string]string{
		"SCHOOL_ADMIN":   p.admin,
		"SCHOOL_OWNER":   p.owner,
		"SCHOOL_RUNTIME": p.runtime,
		"SCHOOL_PREFIX":  p.prefix,
		"SCHOOL_STORE":   p.store,
	}
}

func (p program) config() manage.Config {
	return manage.Config{Name: "school", Open: p.open, Admin: p.openAdmin, Actor: func() (string, error) {
		if p.actor != "" {
			return p.actor, nil
		}
		u, err := user.Current()
		if err != nil {
			return "", err
		}
		return u.Username, nil
	}}
}

func (p program) openAdmin(ctx context.Context) (*manage.Admin, error) {
	roles, err := schemactx.NewRoleNames(p.prefix)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, p.admin)
	if err != nil {
		return nil, err
	}
	cfg := admin.SetupConfig{Roles: roles, Extensions: p.extensions, ExtraSearchPath: p.path}
	if !p.noPasswords {
		cfg.OwnerPassword, cfg.RuntimePassword = "o-secret", "r-secret"
	}
	return &manage.Admin{DB: conn, Close: conn.Close, Setup: cfg}, nil
}

// students are the migrations of every school.
var students = migrate.Source{Name: "school", FS: fstest.MapFS{
	"00001_students.sql": {
		Data: []byte(
			"-- +goose Up\ncreate table students " +
				"(id bigint generated always as identity primary key, name text not null, email text);\n" +
				"-- +goose Down\ndrop table students;\n",
		),
	},
	"00002_fees.sql": {
		Data: []byte(
			"-- +goose Up\ncreate table fees (student bigint references students, cents bigint not null);\n" +
				"-- +goose Down\ndrop table fees;\n",
		),
	},
}}

func (p program) open(ctx context.Context) (_ *manage.App, err error) {
	a := &manage.App{BaseDomain: "example.com"}
	var closers []func(context.Context) error
	a.Close = func(ctx context.Context) error {
		var errs []error
		for i := len(closers) - 1; i >= 0; i-- {
			errs = append(errs, closers[i](ctx))
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close(ctx))
		}
	}()
	roles, err := schemactx.NewRoleNames(p.prefix)
	if err != nil {
		return nil, err
	}
	for pool, url := range map[**pgxpool.Pool]string{&a.Owner: p.owner, &a.Runtime: p.runtime} {
		if *pool, err = pgxpool.New(ctx, url); err != nil {
			return nil, err
		}
		closers = append(closers, func(context.Context) error { (*pool).Close(); return nil })
	}
	db, err := schemactx.New(a.Runtime, schemactx.Config{Roles: roles, ExtraSearchPath: p.path})
	if err != nil {
		return nil, err
	}
	if a.Log, err = audit.Open(ctx, db, audit.Config{}); err != nil {
		return nil, err
	}
	closers = append(closers, a.Log.Close)
	if a.Audit, err = audit.NewReader(a.Owner, audit.ReaderConfig{}); err != nil {
		return nil, err
	}
	tenant := []migrate.Source{students}
	if p.migrations != "" {
		tenant = append(tenant, migrate.Source{Name: "more", FS: os.DirFS(p.migrations), Base: 1000})
	}
	changed := migrate.Allow
	if p.strict {
		changed = migrate.Refuse
	}
	a.Migrations, err = migrate.New(a.Owner, migrate.Config{
		Shared: []migrate.Source{
			{Name: "tenancy", FS: tenancy.Migrations()},
			{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase},
			{Name: "backup", FS: backup.Migrations(), Base: backup.Base},
		},
		Roles: roles, Tenant: tenant, ExtraSearchPath: p.path, Changed: changed,
	})
	if err != nil {
		return nil, err
	}
	var plans func() []string
	if len(p.plans) > 0 {
		plans = func() []string { return p.plans }
	}
	a.Tenants, err = tenancy.New(a.Owner, tenancy.Config{
		Plans:    plans,
		Migrator: a.Migrations, Hooks: a.Log.TenancyHooks(tenancy.Hooks{}),
		Drop: tenancy.DropConfig{Enabled: true, FourEyes: p.fourEyes, Notify: a.Log.NotifyDrop},
		Domains: tenancy.DomainVerifierFunc(func(_ context.Context, d tenancy.Domain) error {
			if strings.HasPrefix(d.Host, "proven.") {
				return nil
			}
			return tenancy.ErrNotVerified
		}),
	})
	if err != nil {
		return nil, err
	}
	a.Init = func(ctx context.Context) error {
		return audit.Grant(ctx, a.Owner, audit.Rights{Writers: []string{roles.Public()}})
	}
	return a, p.openMore(a, db, &closers)
}

// openMore configures the optional parts.
func (p program) openMore(a *manage.App, db *schemactx.DB, closers *[]func(context.Context) error) error {
	if p.secret != "" {
		a.Logins = &schemactx.LoginsConfig{Password: func(_ context.Context, schema string) (string, error) {
			return schemactx.LoginPassword([]byte(p.secret), a.Tenants.Roles().Tenant(schema))
		}}
	}
	if p.killed {
		a.CanaryCheck = func(ctx context.Context, _ migrate.Report) error {
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			if err := self.Signal(os.Interrupt); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}
	}
	if p.all {
		if err := p.openSubjects(a, db); err != nil {
			return err
		}
	}
	if p.store == "" {
		return nil
	}
	if err := os.MkdirAll(p.store, 0o700); err != nil {
		return err
	}
	dir, err := backup.OpenDir(p.store)
	if err != nil {
		return err
	}
	*closers = append(*closers, func(context.Context) error { return dir.Close() })
	a.Backups, err = backup.New(backup.Config{
		Pool:       a.Owner,
		Tenants:    a.Tenants,
		Migrations: a.Migrations,
		Store:      dir,
		Progress:   manage.BackupProgress,
	})
	if err == nil && p.all {
		a.Schedule, err = backup.NewSchedule(a.Backups, backup.ScheduleConfig{})
	}
	return err
}

// openSubjects configures which columns are personal data.
func (p program) openSubjects(a *manage.App, db *schemactx.DB) (err error) {
	a.Anonymize = map[backup.Column]backup.Anonymizer{
		{Table: "students", Name: "name"}: backup.AnonymizerFunc(
			func(_ context.Context, v backup.Value) (backup.Value, error) {
				v.Text = "Somebody"
				return v, nil
			},
		),
	}
	a.Subjects, err = backup.NewSubjectExporter(db, backup.SubjectConfig{Queries: []backup.SubjectQuery{
		{Name: "students", SQL: "select name, email from students where email = $1"},
	}})
	return err
}

// newProgram returns a program with an empty database of its own.
func newProgram(t testing.TB) (program, *pgtest.DB) {
	t.Helper()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	return program{
		admin: pg.URL, owner: pg.URLAs(roles.Owner(), "o-secret"), runtime: pg.URLAs(roles.Runtime(), "r-secret"),
		prefix: pg.RolePrefix, store: t.TempDir(),
	}, pg
}

// setup is newProgram after init.
func setup(t testing.TB) (program, *pgtest.DB) {
	t.Helper()
	p, pg := newProgram(t)
	p.ok(t, "init")
	return p, pg
}

// outcome is the result of a command.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs a command in this process, without a terminal.
func (p program) run(t testing.TB, stdin string, args ...string) outcome {
	t.Helper()
	return runWith(t.Context(), p.config(), stdin, args...)
}

func runWith(ctx context.Context, cfg manage.Config, stdin string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	root := manage.Command(cfg)
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	code := manage.Run(ctx, root)
	return outcome{code, stdout.String(), stderr.String()}
}

// ok runs a command that must succeed, and returns its output.
func (p program) ok(t testing.TB, args ...string) string {
	t.Helper()
	got := p.run(t, "", args...)
	require.Equal(t, manage.CodeOK, got.code, "%v: exit code %d: %s", args, got.code, got.stderr)
	return got.stdout
}

// fails runs a command that must exit with code, and returns its standard error.
func (p program) fails(t testing.TB, code int, args ...string) string {
	t.Helper()
	got := p.run(t, "", args...)
	require.Equal(t, code, got.code, "%v: exit code %d, want %d: %s%s", args, got.code, code, got.stdout, got.stderr)
	return got.stderr
}
