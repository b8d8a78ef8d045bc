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

// Config says what to apply and how.
type Config struct {
	// Shared are the migrations of SharedSchema, Tenant those of every tenant's schema.
	Shared, Tenant []Source

	// Roles are the names of the database's roles, as given to [admin.Setup]. If the owner role
	// exists, a pool of a superuser is refused with a [schemactx.LoginError]: what it made would not
	// be the owner's. Default: [schemactx.DefaultRoleNames] of the pool's database.
	Roles schemactx.RoleNames

	// SharedSchema is the schema of the shared migrations: the registry's tables are there, and what
	// other shared sources make. It is for a program whose public schema already has tables of the
	// same names. It must not be on ExtraSearchPath. What creates it is Init of package tenancy, or
	// CREATE SCHEMA. Choose it before the first Init: it cannot be changed later. Default: public.
	SharedSchema string

	// ExtraSearchPath are schemas that migrations find without naming them, as the scopes of the
	// program do: the list of [schemactx.Config]. Each has to exist, see [admin.Setup], once the
	// shared migrations have run; else no tenant's schema is changed, with a
	// [schemactx.SearchPathError]. New objects are made in the schema that is migrated and never
	// there. Default: none.
	ExtraSearchPath []string

	// ExtraTables are the unquoted names of tables that schemas may have beside those that the
	// migrations make, such as a partition manager's tables, or django_migrations while two
	// programs share the schemas. They and the objects that belong to them, such as the sequence of
	// a column, are no drift, and no backup, restore or clone has them. The name of a table that
	// the migrations make has no effect. Default: none.
	ExtraTables []string

	// Table is the name of the version table in each schema. Default: goose_db_version.
	Table string

	// OutOfOrder is what becomes of a pending migration that is older than one of the same source
	// that is applied, as branches that are merged late bring them. Default: [Refuse].
	OutOfOrder Policy

	// Changed is what becomes of a schema in which a migration is applied whose file is another one
	// now, by its checksum. Up, Status, the fleet, drift and package backup all follow this field.
	//
	// [Allow]: the migration is applied, as it is for goose and Django. Status, Fleet and drift name it beside the
	// outcome and nothing is refused; a restore builds the schema from the file as it is and compares
	// structures.
	// [Refuse]: the schema is [Edited] everywhere. Nothing is applied or undone any more, and no backup made or
	// restored, with [ErrChanged], until the file is as it was or [Runner.Accept] was called. Default:
	// Allow.
	Changed Policy

	// ConcurrentTimeout bounds each wait of a statement with CONCURRENTLY, in a migration without a
	// transaction, for another transaction to end: one that it waits for in vain is a [BlockedError],
	// which names them. It takes the place of LockTimeout, as such a statement waits for every
	// snapshot there is, and keeps no other statements from the table meanwhile. Default: 5 minutes.
	ConcurrentTimeout time.Duration

	// Transactions says how pending migrations share transactions. Default: [TransactionPerFile].
	Transactions Transactions

	// Lock is what keeps two runners off one schema. Default: [LockAdvisory].
	Lock Lock

	// LockTimeout bounds the wait for any one lock, so that a migration does not queue up
	// behind a long transaction and everybody else behind it. Default: 5 s.
	LockTimeout time.Duration

	// LockRetries is how often a schema is tried again when a lock was not to be had in time (55P03,
	// [ErrLocked]) or in a deadlock (40P01), with growing pauses from 100 ms. A migration without a
	// transaction is not, once its first statement was sent: it may have left something. Default: 5;
	// negative: never.
	LockRetries int

	// StatementTimeout bounds each statement. Default: 0, what the server, the database or the
	// login says.
	StatementTimeout time.Duration

	// Logger gets a record for each schema that was changed. Nil discards.
	Logger *slog.Logger

	unused    bool // see [Runner.UpUnused]
	newSchema bool // see [Runner.MigrateNew]
	hooked    bool // see hooked
}

// Policy says whether something is done or refused. Zero is the default of the field.
type Policy uint8

const (
	// Refuse returns an error and changes nothing.
	Refuse Policy = iota + 1

	// Allow goes on.
	Allow
)

// Lock is a way to keep two runners off one schema.
type Lock uint8

const (
	// LockAdvisory holds an advisory lock on one session, from the reading of the versions to the last
	// commit. The session ends the lock, whatever happens. A fleet takes the locks of a few schemas at
	// a time, on the session that migrates them. It does not work behind a pooler in transaction mode.
	//
	// Every role can take every advisory lock. The runner waits for one if the session that has it is
	// logged in as the runner's login, or as a member of the runner's role or of the schema's owner.
	// It goes on if only other logins have it, and keeps other runners off with a second lock, whose
	// key is random. Programs from before this rule wait for such a lock.
	LockAdvisory Lock = iota

	// LockSession does what LockAdvisory does. They differed when LockAdvisory locked each transaction
	// by itself.
	LockSession

	// LockTable locks the version table in each transaction and needs neither a session nor advisory
	// locks, so that it works behind a pooler in transaction mode. It keeps goose's CLI from writing
	// too. Each transaction compares the version table with what the runner has read, and the runner
	// reads it again where another was faster. Migrations without a transaction need a session and are
	// refused with [ErrNeedsSession].
	LockTable
)

// Transactions says how pending migrations share transactions. It does not concern NO TRANSACTION.
type Transactions uint8

const (
	// TransactionPerFile runs each migration in a transaction of its own, together with the row of its
	// version. An error stops the run; what was committed before it stays. A new schema goes through
	// the same transactions as one that was migrated release by release. So a file can use an enum
	// value that an earlier file has added, or alter a table whose deferred constraints an earlier
	// file has left to COMMIT.
	TransactionPerFile Transactions = iota

	// TransactionForAll runs all pending migrations of a schema, up to the next with NO TRANSACTION,
	// in one transaction: all or nothing. It holds all their locks to the end, and PostgreSQL refuses
	// some sequences of migrations in one transaction that it accepts in several. Of the migrations
	// that share a transaction only the first can have SET TRANSACTION: otherwise nothing is run, and
	// the [Error] names the statement.
	TransactionForAll
)

// withDefaults returns the configuration in full, or why it is none.
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

// checkSharedSchema refuses a name that cannot be the schema of the shared migrations.
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
// Between two files it resets the session to what the pool's hooks (AfterConnect, PrepareConn) have
// SET, but for settings of a program's own, such as app.user_id, which the server does not list:
// those are gone for the files and schemas that follow on the connection. Where migrations need
// one, give it to the login (ALTER ROLE ... SET) or to the connection (RuntimeParams of
// pgconn.Config). The next user of the pool gets a connection that the hooks have seen.
type Runner struct {
	pool           *pgxpool.Pool
	shared, tenant set
	cfg            Config
}

// New reads the sources and returns a runner that works through pool, logged in as the
// owner of the schemas. It does not connect and does not close the pool. A file that is not
// a migration, a version that two have, and a gap in the numbers of a source are a [ParseError].
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

// Migrations returns all that the sources have, the shared set first, each by version. A test that
// compares it with a file in the repository notices an edited migration before a database does.
func (r *Runner) Migrations() []Migration {
	var all []Migration
	for _, s := range []set{r.shared, r.tenant} {
		for _, m := range s {
			all = append(all, m.describe())
		}
	}
	return all
}
