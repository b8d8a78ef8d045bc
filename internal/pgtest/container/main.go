package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

const (
	defaultImage = "postgres:18"

	// startTimeout limits the pull of the image and the start of the server together.
	startTimeout = 5 * time.Minute

	// removeTimeout limits the removal of the container.
	removeTimeout = 30 * time.Second
)

var errInputClosed = errors.New("stdin was closed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, cmp.Or(os.Getenv("TEST_PG_IMAGE"), defaultImage), os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "container:", err)
		os.Exit(1)
	}
}

// run starts a server from image and writes its address to out. It removes the server when ctx ends
// or in reaches its end. If that happens before the address is written, it is an error; afterwards
// it is not.
func run(ctx context.Context, image string, in io.Reader, out io.Writer) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, in) // a read error ends the input
		cancel(errInputClosed)
	}()

	server, err := start(ctx, image)
	// A start that failed may have left a container, so it is removed in either case.
	defer func() { err = errors.Join(err, remove(server)) }()
	if err != nil {
		return fmt.Errorf("start %q: %w", image, err)
	}
	address, err := server.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		return fmt.Errorf("find the port of %q: %w", image, err)
	}
	if err := json.NewEncoder(out).Encode(map[string]string{"url": address}); err != nil {
		return fmt.Errorf("report the address: %w", err)
	}
	<-ctx.Done()
	return nil
}

// remove kills server, which has no data to save, and removes its container. It uses a context of
// its own, because the caller's has ended.
func remove(server *postgres.PostgresContainer) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	err := testcontainers.TerminateContainer(server, testcontainers.StopContext(ctx), testcontainers.StopTimeout(0))
	if err != nil {
		return fmt.Errorf("remove the container: %w", err)
	}
	return nil
}
