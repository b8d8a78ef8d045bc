package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// Config says what to apply and how. The zero value of each field is its default.
type Config struct {
	// Shared are the migrations of SharedSchema. Tenant are those of every tenant's schema.
	Shared, Tenant []Source

	// Roles are the names of the database's roles, as given to [admin.Setup]. If the owner role
	// exists, the runner refuses a pool of a superuser with a [schemactx.LoginError], because the
	// owner role would not own what a superuser creates. Default: [schemactx.DefaultRoleNames] of the
	// pool's database.
	Roles schemactx.RoleNames

	// SharedSchema is the schema of the shared migrations. It has the registry's tables and what other
	// shared sources create. Set it if the public schema of the program already has tables of the same
	// names. Init of package tenancy or CREATE SCHEMA creates it. Choose it before the first Init,
	// because it cannot be changed later. It must not be on ExtraSearchPath. Default: public.
	SharedSchema string

	// ExtraSearchPath lists schemas that migrations can use without naming them, as the scopes of the
	// program can. It is the list of [schemactx.Config]. Each schema must exist when the shared
	// migrations have run, see [admin.Setup]. Otherwise the runner changes no tenant's schema and
	// returns a [schemactx.SearchPathError]. New objects are created in the schema that is migrated
	// and never in one of these. Default: none.
	ExtraSearchPath []string

	// ExtraTables are the unquoted names of tables that schemas may have in addition to those of the
	// migrations. Examples are the tables of a partition manager, or django_migrations while two
	// programs share the schemas. These tables and the objects that belong to them, such as the
	// sequence of a column, do not count as drift. Backups, restores and clones leave them out. The
	// name of a table that the migrations create has no effect. Default: none.
	ExtraTables []string

	// Table is the name of the version table in each schema. Default: goose_db_version.
	Table string

	// OutOfOrder says whether a pending migration is applied if a newer one of the same source is
	// applied already. This happens if a branch is merged late. Default: [Refuse].
	OutOfOrder Policy

	// Changed says how to treat a schema in which a migration is applied whose file has changed since,
	// by its checksum. Up, Status, the fleet, drift and package backup all follow it.
	//
	// [Allow]: the migration counts as applied, as it does for goose and Django. Status, Fleet and
	// drift report it beside the outcome, and nothing is refused. A restore builds the schema from the
	// file as it is now and compares structures.
	//
	// [Refuse]: the schema is [Edited] everywhere. The runner applies and undoes nothing, and backups
	// and restores fail, each with [ErrChanged]. This ends when the file has its old content again or
	// [Runner.Accept] was called. Default: Allow.
	Changed Policy

	// ConcurrentTimeout bounds each wait of a CONCURRENTLY statement for another transaction to end,
	// in a migration without a transaction. When it expires, the error is a [BlockedError] that names
	// the other transactions. It replaces LockTimeout for such a statement: the statement waits for
	// every existing snapshot, but blocks no other statements on the table meanwhile. Default: 5
	// minutes.
	ConcurrentTimeout time.Duration

	// Transactions says how pending migrations share transactions. Default: [TransactionPerFile].
	Transactions Transactions

	// Lock says how the runner keeps other runners off a schema. Default: [LockAdvisory].
	Lock Lock

	// LockTimeout bounds the wait for any one lock. Without it a migration could queue behind a long
	// transaction, and all other statements on the table behind the migration. Default: 5 s.
	LockTimeout time.Duration

	// LockRetries is how often a schema is tried again if a lock was not free in time (55P03,
	// [ErrLocked]) or after a deadlock (40P01). The pauses grow from 100 ms. A migration without a
	// transaction is not tried again after its first statement was sent, because it may have changed
	// something. Default: 5; negative: never.
	LockRetries int

	// StatementTimeout bounds each statement of a migration. Default: 0, the setting of the server,
	// the database or the login.
	StatementTimeout time.Duration

	// Logger receives a record for each schema that was changed. Nil discards the records.
	Logger *slog.Logger

	unused    bool // see [Runner.UpUnused]
	newSchema bool // see [Runner.MigrateNew]
	hooked    bool // a hook of the pool may change settings, see the function hooked
}

// Policy says whether to do something or to refuse it. Zero is the default of the field.
type Policy uint8

const (
	// Refuse returns an error and changes nothing.
	Refuse Policy = iota + 1

	// Allow continues without an error.
	Allow
)

// Lock is a way to keep two runners off the same schema.
type Lock uint8

const (
	// LockAdvisory holds an advisory lock on one session, from the reading of the versions to the last
	// commit. The lock ends with the session at the latest. A fleet takes the locks of a few schemas
	// at a time, on the session that migrates them. It does not work behind a pooler in transaction
	// mode.
	//
	// Every role can take every advisory lock. The runner waits if the session that holds the lock is
	// logged in as the runner's login, or as a member of the runner's role or of the schema's owner.
	// If only other logins hold it, the runner goes on and keeps other runners off with a second lock,
	// whose key is random. Versions of this package from before this rule wait for such a lock.
	LockAdvisory Lock = iota

	// LockSession is the same as LockAdvisory. They differed when LockAdvisory took a lock for each
	// transaction.
	LockSession

	// LockTable locks the version table in each transaction. It needs neither a session nor advisory
	// locks, so it works behind a pooler in transaction mode. It also keeps goose's CLI from writing.
	// Each transaction compares the version table with what the runner has read. If another runner has
	// changed the table, the runner reads it again. Migrations without a transaction need a session
	// and are refused with [ErrNeedsSession].
	LockTable
)

// Transactions says how pending migrations share transactions. It does not apply to migrations with
// NO TRANSACTION.
type Transactions uint8

const (
	// TransactionPerFile runs each migration in its own transaction, together with the row of its
	// version. An error stops the run, and what was committed before stays. A new schema goes through
	// the same transactions as one that was migrated release by release. So a file can use an enum
	// value that an earlier file has added. It can also alter a table on which an earlier file has
	// left deferred constraint checks to its COMMIT.
	TransactionPerFile Transactions = iota

	// TransactionForAll runs all pending migrations of a schema, up to the next with NO TRANSACTION,
	// in one transaction: all or nothing. The transaction holds all locks to its end. PostgreSQL
	// refuses some sequences of migrations in one transaction that it accepts in several. Of the
	// migrations that share a transaction, only the first can have SET TRANSACTION. Otherwise nothing
	// is run, and the [Error] names the statement.
	TransactionForAll
)

// withDefaults returns the configuration with its defaults, or an error if it is not valid.
func (cfg Config) withDefaults() (Config, error) {
	cfg.Table = cmp.Or(cfg.Table, "goose_db_version")
	cfg.SharedSchema = cmp.Or(cfg.SharedSchema, schemactx.Public)
	cfg.OutOfOrder = cmp.Or(cfg.OutOfOrder, Refuse)
	cfg.Changed = cmp.Or(cfg.Changed, Allow)
	cfg.LockTimeout = cmp.Or(cfg.LockTimeout, 5*time.Second)
	cfg.ConcurrentTimeout = cmp.Or(cfg.ConcurrentTimeout, 5*time.Minute)
	cfg.LockRetries = cmp.Or(cfg.LockRetries, 5)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := schemactx.ValidateName(cfg.Table); err != nil {
		return cfg, fmt.Errorf("migrate: version table: %w", err)
	}
	cfg.ExtraSearchPath, cfg.ExtraTables = slices.Clone(cfg.ExtraSearchPath), slices.Clone(cfg.ExtraTables)
	for _, name := range cfg.ExtraTables {
		if _, err := schemactx.QuoteName(name); err != nil {
			return cfg, fmt.Errorf("migrate: extra table: %w", err)
		}
	}
	if _, err := schemactx.SearchPath(schemactx.Public, cfg.ExtraSearchPath); err != nil {
		return cfg, fmt.Errorf("migrate: %w", err)
	}
	if err := cfg.checkSharedSchema(); err != nil {
		return cfg, fmt.Errorf("migrate: shared schema: %w", err)
	}
	switch {
	case cfg.LockTimeout < time.Millisecond:
		return cfg, fmt.Errorf("migrate: lock timeout %v is less than 1ms", cfg.LockTimeout)
	case cfg.ConcurrentTimeout < time.Millisecond:
		return cfg, fmt.Errorf("migrate: timeout %v of CONCURRENTLY is less than 1ms", cfg.ConcurrentTimeout)
	case cfg.StatementTimeout != 0 && cfg.StatementTimeout < time.Millisecond:
		return cfg, fmt.Errorf("migrate: statement timeout %v is less than 1ms", cfg.StatementTimeout)
	case cfg.OutOfOrder > Allow || cfg.Changed > Allow:
		return cfg, errors.New("migrate: a policy is Refuse or Allow")
	case cfg.Transactions > TransactionForAll:
		return cfg, fmt.Errorf("migrate: unknown value %d of Transactions", cfg.Transactions)
	case cfg.Lock > LockTable:
		return cfg, fmt.Errorf("migrate: unknown lock %d", cfg.Lock)
	}
	return cfg, nil
}

// checkSharedSchema returns an error if SharedSchema cannot be the schema of the shared migrations.
func (cfg Config) checkSharedSchema() error {
	if cfg.SharedSchema == schemactx.Public {
		return nil
	}
	if slices.Contains(cfg.ExtraSearchPath, cfg.SharedSchema) {
		return &schemactx.SearchPathError{
			Name: cfg.SharedSchema,
			Rule: "has the registry, and is on the path of every tenant",
		}
	}
	return schemactx.ValidateName(cfg.SharedSchema)
}

// Runner applies migrations. It is safe for concurrent use, also by several processes.
//
// Between two files it resets the session to the settings that the pool's hooks (AfterConnect,
// PrepareConn) have made with SET. Custom settings such as app.user_id are an exception, because
// the server does not list them: the files and schemas that follow on the connection do not have
// them. If migrations need such a setting, give it to the login (ALTER ROLE ... SET) or to the
// connection (RuntimeParams of pgconn.Config). The next user of the pool gets a connection on which
// the hooks have run.
type Runner struct {
	pool           *pgxpool.Pool
	shared, tenant set
	cfg            Config
}

// New reads the sources and returns a runner that uses pool, which is logged in as the owner of the
// schemas. It does not connect, and nothing closes the pool. It returns a [ParseError] for a file
// that is not a migration, for a version that occurs twice, and for a gap in the numbers of a
// source.
func New(pool *pgxpool.Pool, cfg Config) (*Runner, error) {
	if pool == nil {
		return nil, errors.New("migrate: pool is nil")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.hooked = hooked(pool)
	if cfg.Roles == (schemactx.RoleNames{}) {
		cfg.Roles = schemactx.DefaultRoleNames(pool.Config().ConnConfig.Database)
	}
	r := &Runner{pool: pool, cfg: cfg}
	if r.shared, err = load(SharedSet, cfg.SharedSchema, cfg.Shared); err != nil {
		return nil, err
	}
	if r.tenant, err = load(TenantSet, schemactx.Public, cfg.Tenant); err != nil {
		return nil, err
	}
	return r, nil
}

// Config returns a copy of the configuration, with the defaults filled in.
func (r *Runner) Config() Config {
	cfg := r.cfg
	cfg.ExtraSearchPath, cfg.ExtraTables = slices.Clone(cfg.ExtraSearchPath), slices.Clone(cfg.ExtraTables)
	return cfg
}

// Pool returns the pool that was given to [New].
func (r *Runner) Pool() *pgxpool.Pool { return r.pool }

// Migrations returns the migrations of all sources by version, the shared set first. A test that
// compares them with a file in the repository notices an edited migration before it reaches a
// database.
func (r *Runner) Migrations() []Migration {
	var all []Migration
	for _, s := range []set{r.shared, r.tenant} {
		for _, m := range s {
			all = append(all, m.describe())
		}
	}
	return all
}
