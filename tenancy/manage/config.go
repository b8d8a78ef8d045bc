package manage

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// Config says which program the commands belong to.
type Config struct {
	// Name is how the commands are called, in help and messages, as a shell reads it: the name of the
	// program, or, where they are mounted below a command of its own, "school admin". Default: the
	// base name of os.Args[0].
	Name string

	// Open opens what the commands work with. It is called when one of them runs, and for completion,
	// never to build the tree or to print help, and should do no work on the database: that is what
	// the commands are for. ctx names who runs the command, as package audit reads it, and lives as
	// long as the App; for completion, which has 3 s, it names nobody. What the App logs is best kept
	// off the terminal: a command says by itself what has gone wrong. Required.
	Open func(ctx context.Context) (*App, error)

	// Admin opens the administrator's login, for init alone. Default: nil, init says that there is
	// none.
	Admin func(ctx context.Context) (*Admin, error)

	// Actor returns who runs the command, for the access log and for drops, which are approved by
	// somebody else. Default: the name of the operating system's user, or "uid 1000" where that has
	// none.
	Actor func() (string, error)
}

// App is what a program has for its commands. What is nil is missing, and a command that needs it
// says so.
type App struct {
	// Tenants makes and changes tenants. Without it there is little left: migrations of single
	// schemas.
	Tenants *tenancy.Manager

	// BaseDomain is the domain below which new tenants get their primary one:
	// <subdomain>.<BaseDomain>. Default: none, so that each has to be named.
	BaseDomain string

	// Migrations bring schemas up to date.
	Migrations *migrate.Runner

	// CanaryCheck is asked by migrate when the canaries are migrated, see [migrate.Canary]. Default:
	// nobody is.
	CanaryCheck func(ctx context.Context, canaries migrate.Report) error

	// Owner is the owner's pool and Runtime that of the login that serves. check reads both, and shell
	// and foreach connect as Runtime does.
	Owner, Runtime *pgxpool.Pool

	// Roles are the names of the database's roles. Default: [schemactx.DefaultRoleNames] of Runtime's
	// database.
	Roles schemactx.RoleNames

	// ExtraSearchPath is that of the program's [schemactx.Config], for shell and foreach. Default:
	// that of Migrations.
	ExtraSearchPath []string

	// Check says what check expects. Default of its Roles: Roles; of its ExtraSearchPath:
	// ExtraSearchPath.
	Check admin.CheckConfig

	// Backups backs up tenants and restores them, and Schedule says when, for backup --due. With
	// [BackupProgress] as its Progress they show how far they are.
	Backups  *backup.Service
	Schedule *backup.Schedule

	// Subjects exports what a tenant has about one person.
	Subjects *backup.SubjectExporter

	// Anonymize are what clone --anonymize replaces. Without them it refuses.
	Anonymize map[backup.Column]backup.Anonymizer

	// Audit reads the access log, and Log adds to it what commands do that no hook tells of: backups,
	// restores, exports, shells, and migrations. Where Log is nil nothing is added.
	Audit *audit.Reader
	Log   *audit.Log

	// Logins are those of level [schemactx.Logins]: shell and foreach log in as the tenant's role
	// then. Default: they log in as Runtime and take the tenant's role, see the help of shell.
	Logins *schemactx.LoginsConfig

	// Psql says how psql is run.
	Psql PsqlConfig

	// Init is what the program itself has to do to a database, behind the shared migrations: rights on
	// its access log, say. It has to bear to be run again. Default: nothing.
	Init func(ctx context.Context) error

	// Close is called when the command has ended, with a ctx that has not. Default: nothing is closed.
	Close func(ctx context.Context) error
}

// PsqlConfig says how psql is run.
type PsqlConfig struct {
	// Tool is the path of psql, or its name to be looked up in PATH. Default: "psql".
	Tool string

	// Env are further variables of its environment, as "NAME=value", over those that follow from the
	// pool: "PGHOST=..." where the pool goes through a pooler that drops startup options. Default:
	// none.
	Env []string
}

// Admin is the administrator's login on the database.
type Admin struct {
	// DB is a pool or a connection of a superuser, or of a role with CREATEROLE that owns the
	// database.
	DB admin.Beginner

	// Setup says what [admin.Setup] makes, the logins' passwords included.
	Setup admin.SetupConfig

	// Close is called when that is done, with a ctx that has not ended. Default: nothing is closed.
	Close func(ctx context.Context) error
}
