package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// app is the program: what the library gives it, put together.
type app struct {
	owner, runtime *pgxpool.Pool
	db             *schemactx.DB    // what requests query: the runtime login, scoped
	tenants        *tenancy.Manager // what makes schools: the owner
	registry       *tenancy.Registry
	hosts          *resolver.Directory // which school a host is
	handler        http.Handler
	logger         *slog.Logger
	shownURL, port string
}

// newApp opens the pools, brings the registry and every school up to date, and makes the
// routes.
func newApp(ctx context.Context, database *database, addr net.Addr) (_ *app, err error) {
	a := &app{
		logger:   slog.New(tenancy.LogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
		shownURL: database.shown,
	}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if _, a.port, err = net.SplitHostPort(addr.String()); err != nil {
		return nil, err
	}
	if a.owner, err = openPool(ctx, database.owner); err != nil {
		return nil, err
	}
	if a.runtime, err = openPool(ctx, database.runtime); err != nil {
		return nil, err
	}
	if err := a.openTenants(ctx, database.roles); err != nil {
		return nil, err
	}
	if err := a.check(ctx, database.roles); err != nil {
		return nil, err
	}
	if a.db, err = schemactx.New(a.runtime, schemactx.Config{Roles: database.roles}); err != nil {
		return nil, err
	}
	a.registry = tenancy.NewRegistry(a.db)
	a.hosts, err = resolver.NewDirectory(ctx, a.db, resolver.Config{
		PublicHosts: []string{"localhost", "127.0.0.1", "::1"},
		Logger:      a.logger,
	})
	if err != nil {
		return nil, err
	}
	a.handler = withHealth(tenancy.Handler(a.hosts, tenancy.Routes{
		Public: a.publicSite(),
		Tenant: erp.Handler(a.db, erp.HandlerConfig{Logger: a.logger}),
		Logger: a.logger,
	}))
	return a, nil
}

// check refuses to serve from a database in which something breaks the isolation, such as a runtime login with rights of
// its own. Its warnings are not shown: Harden, which would settle them, is the administrator's decision.
func (a *app) check(ctx context.Context, roles schemactx.RoleNames) error {
	report, err := schemactx.Check(ctx, a.runtime, schemactx.CheckConfig{Roles: roles})
	if err != nil {
		return err
	}
	return report.Err()
}

// openTenants migrates the registry and then the schema of every school.
func (a *app) openTenants(ctx context.Context, roles schemactx.RoleNames) error {
	runner, err := migrate.New(a.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}},
		Logger: a.logger,
	})
	if err != nil {
		return err
	}
	if a.tenants, err = tenancy.New(a.owner, tenancy.Config{Migrator: runner, Roles: roles, Logger: a.logger}); err != nil {
		return err
	}
	if err := a.tenants.Init(ctx); err != nil {
		return err
	}
	// Init has applied the shared set.
	_, err = runner.UpAll(ctx, a.tenants.Schemas, migrate.UpAllOptions{SkipShared: true})
	return err
}

// serve serves until ctx ends or the database is gone, and lets running requests finish.
func (a *app) serve(ctx context.Context, listener net.Listener, gone <-chan struct{}) error {
	server := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	var err error
	select {
	case err = <-failed:
	case <-gone:
		err = errors.New("PostgreSQL has stopped")
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(drain))
}

func (a *app) close() {
	if a.hosts != nil {
		a.hosts.Close()
	}
	for _, pool := range []*pgxpool.Pool{a.runtime, a.owner} {
		if pool != nil {
			pool.Close()
		}
	}
}

func (a *app) printWelcome(w io.Writer) {
	fmt.Fprintln(w)
	for _, s := range demoSchools {
		fmt.Fprintf(w, "%s   http://%s:%s/api/students/\n", s.name, s.domain, a.port)
	}
	fmt.Fprintf(w, "Platform   http://localhost:%s/\n", a.port)
	fmt.Fprintf(w, "Database   psql '%s'\n\n", a.shownURL)
	fmt.Fprintln(w, "Ctrl-C stops everything; the data stays.")
}
