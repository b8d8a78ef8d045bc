package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/schemactx"
)

// Main is the main function of the programs. It starts a temporary PostgreSQL with two schools, and
// serves the handler that routes returns on 127.0.0.1:8000 until Ctrl-C.
func Main(routes func(*Platform) http.Handler) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, routes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, routes func(*Platform) http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:8000")
	if err != nil {
		return err
	}
	defer listener.Close()
	server, err := localpg.Start(ctx, localpg.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop(context.WithoutCancel(ctx)) }() // its data is temporary
	p, err := Open(ctx, server.TCPURL("postgres"), schemactx.RoleNames{})
	if err != nil {
		return err
	}
	defer p.Close()
	fmt.Println(
		"http://schoola.localhost:8000/students/1 and http://schoolb.localhost:8000/students/1; Ctrl-C stops everything.",
	)
	return serve(ctx, listener, p.Handler(routes(p)))
}

// serve serves until ctx ends, and then lets running requests finish.
func serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(drain))
}
