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

// Config configures the commands.
type Config struct {
	// Name is the name of the commands in help and messages, as typed in a shell: the name of the
	// program, or, if they are mounted below another command, such as "school admin". Default: the
	// base name of os.Args[0].
	Name string

	// Open opens the resources of the commands. It is called when a command runs and for completion,
	// never to build the tree or to print help. It should not change the database; the commands do.
	// ctx carries the actor, as package audit reads it, and lives as long as the App. For completion,
	// which is limited to 3 s, it has no actor. Keep the App's log off the terminal: commands report
	// their errors themselves. Required.
	Open func(ctx context.Context) (*App, error)

	// Admin opens the administrator's login, for init only. Default: nil, and init fails with a
	// message.
	Admin func(ctx context.Context) (*Admin, error)

	// Actor returns who runs the command, for the access log and for drops, which another person must
	// approve. Default: the name of the operating system's user, or "uid 1000" if it has no name.
	Actor func() (string, error)
}

// App holds the resources of the commands. A command that needs a nil field fails with a message.
type App struct {
	// Tenants creates and changes tenants. Without it only migrations of single schemas work.
	Tenants *tenancy.Manager

	// BaseDomain is the domain of the primary domains of new tenants: <subdomain>.<BaseDomain>.
	// Default: none, and each domain must be given.
	BaseDomain string

	// Migrations migrates schemas.
	Migrations *migrate.Runner

	// CanaryCheck is called by migrate after the canaries are migrated, see [migrate.Canary]. Default:
	// no check.
	CanaryCheck func(ctx context.Context, canaries migrate.Report) error

	// Owner is the pool of the owner, Runtime that of the login that serves requests. check inspects
	// both. shell and foreach connect as Runtime does.
	Owner, Runtime *pgxpool.Pool

	// ExtraSearchPath is that of the program's [schemactx.Config], for shell and foreach. Default:
	// that of Migrations.
	ExtraSearchPath []string

	// Check configures check. Default of its Roles: those of Tenants. Default of its ExtraSearchPath:
	// that of the App.
	Check admin.CheckConfig

	// Backups backs up and restores tenants. Schedule is for backup --due. Set [BackupProgress] as
	// Progress of both to show progress.
	Backups  *backup.Service
	Schedule *backup.Schedule

	// Subjects exports the data of one person in a tenant.
	Subjects *backup.SubjectExporter

	// Anonymize has the columns that clone --anonymize replaces. Without it the flag is refused.
	Anonymize map[backup.Column]backup.Anonymizer

	// Audit reads the access log. Log adds entries for commands without hooks: backups, restores,
	// exports, shells and migrations. With a nil Log nothing is added.
	Audit *audit.Reader
	Log   *audit.Log

	// Logins has the logins of level [schemactx.Logins]: shell and foreach then log in as the tenant's
	// role. Default: they log in as Runtime and set the tenant's role, see the help of shell.
	Logins *schemactx.LoginsConfig

	// Psql configures psql.
	Psql PsqlConfig

	// Init does the program's own set-up of a database after the shared migrations, such as granting
	// rights on its access log. It must be repeatable. Default: nothing.
	Init func(ctx context.Context) error

	// Close is called when the command has ended, with a ctx that is still valid. Default: nothing is
	// closed.
	Close func(ctx context.Context) error
}

// PsqlConfig configures psql.
type PsqlConfig struct {
	// Tool is the path of psql, or its name in PATH. Default: "psql".
	Tool string

	// Env has additional environment variables as "NAME=value". They override those derived from the
	// pool, for example "PGHOST=..." if the pool uses a pooler that drops startup options. Default:
	// none.
	Env []string
}

// Admin is the administrator's login on the database.
type Admin struct {
	// DB is a pool or a connection of a superuser, or of a role with CREATEROLE that owns the
	// database.
	DB admin.Beginner

	// Setup configures [admin.Setup], including the passwords of the logins.
	Setup admin.SetupConfig

	// Close is called after the set-up, with a ctx that is still valid. Default: nothing is closed.
	Close func(ctx context.Context) error
}
