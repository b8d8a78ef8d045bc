package tenancytest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// Config configures [Open].
type Config struct {
	// Shared are the migrations of the schema public. Default: those of the registry,
	// [tenancy.Migrations]; a program with its own lists these too.
	Shared []migrate.Source

	// Tenant are the migrations of the tenants' schemas.
	Tenant []migrate.Source

	// Seed inserts the first rows of a tenant; see [tenancy.Config]. Default: none.
	Seed func(ctx context.Context, t *tenancy.Tenant) error

	// DB configures the handle of the program under test. Its Roles are not used. Level is not
	// [schemactx.Logins]; at [schemactx.PathOnly] the handle logs in as the owner. Its ExtraSearchPath
	// is that of the migrations and of Extensions too.
	DB schemactx.Config

	// Extensions are created in ExtensionSchema before anything else, see [admin.SetupConfig]. An
	// extension that cannot be created is an [admin.ExtensionError]. Default: none.
	Extensions []string

	// ExtensionSchema is the schema of the extensions. Default: [admin.DefaultExtensionSchema].
	ExtensionSchema string
}

// namePrefix is the prefix of the names of test databases.
const namePrefix = "pgtenant_test_"

// Open creates a database on the server of url, with roles, registry and pools, and returns it as
// an environment. url is the URL of a superuser, or of a role that may create databases and roles.
// Close drops all of it.
func Open(ctx context.Context, url string, cfg Config) (_ *Environment, err error) {
	admin, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("tenancytest: the URL of the database cannot be read") // pgx's error may hold its password
	}
	if cfg.DB.Level == schemactx.Logins {
		return nil, errors.New("tenancytest: level Logins needs New")
	}
	if len(cfg.Shared) == 0 {
		cfg.Shared = []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}
	}
	b := &builder{admin: admin, id: strings.ToLower(rand.Text()[:10]), secret: rand.Text()}
	defer func() {
		if err != nil {
			err = fmt.Errorf("tenancytest: %w", errors.Join(err, b.close(context.WithoutCancel(ctx))))
		}
	}()
	if err := b.createDatabase(ctx, cfg); err != nil {
		return nil, err
	}
	env, err := b.environment(ctx, cfg)
	if err != nil {
		return nil, err
	}
	env.close = b.close
	return env, nil
}

// builder creates a database with its roles, and drops them.
type builder struct {
	admin  *pgx.ConnConfig
	id     string
	secret string // the password of the two logins
	roles  schemactx.RoleNames
	pools  []*pgxpool.Pool
	db     *schemactx.DB
}

func (b *builder) name() string { return namePrefix + b.id }

func (b *builder) createDatabase(ctx context.Context, config Config) error {
	err := b.exec(ctx, b.admin, "create database "+pgx.Identifier{b.name()}.Sanitize())
	if err != nil {
		return fmt.Errorf("create a database: %w", err)
	}
	if b.roles, err = schemactx.NewRoleNames("pt_" + b.id); err != nil {
		return err
	}
	cfg := b.admin.Copy()
	cfg.Database = b.name()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	report, err := admin.Setup(ctx, conn, admin.SetupConfig{
		Roles: b.roles, OwnerPassword: b.secret, RuntimePassword: b.secret,
		ExtraSearchPath: config.DB.ExtraSearchPath, Extensions: config.Extensions, ExtensionSchema: config.ExtensionSchema,
	})
	if err != nil {
		return err
	}
	return report.Err()
}

func (b *builder) environment(ctx context.Context, cfg Config) (*Environment, error) {
	owner, err := b.pool(ctx, b.roles.Owner())
	if err != nil {
		return nil, err
	}
	login := b.roles.Runtime()
	if cfg.DB.Level == schemactx.PathOnly {
		login = b.roles.Owner() // one login has all rights at that level
	}
	runtime, err := b.pool(ctx, login)
	if err != nil {
		return nil, err
	}
	runner, err := migrate.New(
		owner,
		migrate.Config{Shared: cfg.Shared, Tenant: cfg.Tenant, ExtraSearchPath: cfg.DB.ExtraSearchPath},
	)
	if err != nil {
		return nil, err
	}
	manager, err := tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: b.roles, Seed: cfg.Seed})
	if err != nil {
		return nil, err
	}
	if err := manager.Init(ctx); err != nil {
		return nil, err
	}
	cfg.DB.Roles = b.roles
	if b.db, err = schemactx.New(runtime, cfg.DB); err != nil {
		return nil, err
	}
	return New(manager, b.db, owner)
}

// pool opens a pool for a login, with at least the two connections that a manager needs.
func (b *builder) pool(ctx context.Context, user string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(b.admin.ConnString())
	if err != nil {
		return nil, errors.New("the URL of the database cannot be read")
	}
	cfg.ConnConfig.Database, cfg.ConnConfig.User, cfg.ConnConfig.Password = b.name(), user, b.secret
	cfg.MaxConns = max(cfg.MaxConns, 4)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	b.pools = append(b.pools, pool)
	return pool, nil
}

func (b *builder) exec(ctx context.Context, cfg *pgx.ConnConfig, sql string) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// close drops the database and its roles. It can be called repeatedly.
func (b *builder) close(ctx context.Context) error {
	b.closePools(ctx)
	// PostgreSQL waits some seconds for connections that are closing. Then it ends those that a test
	// has left open; an administrator who is not a superuser may lack the privilege for that.
	drop := "drop database if exists " + pgx.Identifier{b.name()}.Sanitize()
	err := b.exec(ctx, b.admin, drop)
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "55006" { // object_in_use
		err = b.exec(ctx, b.admin, drop+" with (force)")
	}
	if err != nil {
		return fmt.Errorf("drop database %s: %w", b.name(), err)
	}
	return b.dropRoles(ctx)
}

// poolTimeout is how long to wait for connections to return to their pools.
const poolTimeout = 5 * time.Second

// closePools closes the pools. A pool waits for connections in use; the server ends those that a
// test never returns, together with the database.
func (b *builder) closePools(ctx context.Context) {
	if b.db != nil {
		b.db.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, poolTimeout)
	defer cancel()
	pools := b.pools
	b.pools = nil
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		var all sync.WaitGroup
		for _, pool := range pools {
			all.Go(pool.Close)
		}
		all.Wait()
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
}

// dropRoles drops all roles of the database in one statement. Since PostgreSQL 16 a role that has
// granted a membership must be dropped after it, and the memberships of the named roles are dropped
// first.
func (b *builder) dropRoles(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, b.admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(
		ctx,
		"select quote_ident(rolname) from pg_roles where starts_with(rolname::text, $1)",
		"pt_"+b.id+"_",
	)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		return err
	}
	if _, err := conn.Exec(ctx, "drop role "+strings.Join(names, ", ")); err != nil {
		return fmt.Errorf("drop the roles of database %s: %w", b.name(), err)
	}
	return nil
}
