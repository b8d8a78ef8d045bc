package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// app is the serving program.
type app struct {
	*platform
	hosts   *resolver.Directory // maps a host to its school
	handler http.Handler
	port    string
}

// serve serves until ctx ends. It listens first, so that a port in use is found before anything
// else starts.
func serve(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; choose another address, such as --listen 127.0.0.1:8001", o.listen,
			rootCause(err))
	}
	defer listener.Close()
	fmt.Fprintf(stdout, "Starting; data is in %s\n", o.dataDir)
	db, err := openDatabase(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer db.close()
	ctx = audit.NewContext(ctx, audit.Caller{Actor: "school"}) // the actor of audit entries outside a request
	p, err := openPlatform(ctx, db, o.dataDir, o.logger(stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }() // after the last request, so that all entries are written
	if err := p.prepare(ctx, db.roles); err != nil {
		return err
	}
	if !o.noDemo {
		if err := p.createDemo(ctx); err != nil {
			return err
		}
	}
	if err := p.ensureStaff(ctx); err != nil {
		return err
	}
	a, err := newApp(ctx, p, listener.Addr())
	if err != nil {
		return err
	}
	defer a.hosts.Close()
	a.printWelcome(stdout, db.shown, o)
	if err := a.run(ctx, listener, db.gone); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "Stopped.")
	return nil
}

// newApp builds the routes. The addresses of all existing schools work as soon as it returns.
func newApp(ctx context.Context, p *platform, addr net.Addr) (*app, error) {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return nil, err
	}
	a := &app{platform: p, port: port}
	a.hosts, err = resolver.NewDirectory(ctx, p.db, resolver.Config{
		PublicHosts: []string{"localhost", "127.0.0.1", "::1"},
		Logger:      p.logger,
	})
	if err != nil {
		return nil, err
	}
	if a.handler, err = a.routes(); err == nil {
		err = a.watch()
	}
	if err != nil {
		a.hosts.Close()
		return nil, err
	}
	return a, nil
}

// run serves until ctx ends or the database stops, and then lets running requests finish.
func (a *app) run(ctx context.Context, listener net.Listener, gone <-chan struct{}) error {
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.metrics.Run(background) })
	running.Go(func() { a.quarantine.Run(background) })
	running.Go(func() { a.keepLogDaily(background) })
	running.Go(func() { _ = a.schedule.Run(background) }) // Run returns only the error of its context
	running.Go(func() { _ = a.tenants.RunStock(background) })
	defer running.Wait()
	defer stop()

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

func (a *app) printWelcome(w io.Writer, databaseURL string, o options) {
	fmt.Fprintln(w)
	for _, s := range demoSchools {
		fmt.Fprintf(w, "%-19s http://%s:%s/\n", s.Name, a.schools.DomainOf(s.Slug), a.port)
	}
	fmt.Fprintf(w, "Platform            http://localhost:%s/\n", a.port)
	fmt.Fprintf(w, "Console             http://localhost:%s/admin/\n", a.port)
	fmt.Fprintf(w, "Metrics             http://localhost:%s/metrics\n", a.port)
	fmt.Fprintf(w, "Database            psql '%s'\n\n", strings.ReplaceAll(databaseURL, "'", "%27"))
	fmt.Fprintf(w, "Who can log in      %s\n", o.command("logins"))
	fmt.Fprintf(w, "One-time codes      %s\n", o.command("code", staffPeople[0].email))
	fmt.Fprintf(w, "Other commands      %s\n", o.command("--help"))
	fmt.Fprintln(w, "Ctrl-C stops everything; the data stays.")
}
