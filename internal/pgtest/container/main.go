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

	// startTimeout bounds the pull of the image together with the start of the server.
	startTimeout = 5 * time.Minute

	// removeTimeout bounds the removal of the container.
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

// run starts a server from image, writes its address to out and removes it when ctx ends or in is exhausted.
// To be asked to stop is no failure once the address is out; before that it is, as the caller never got one.
func run(ctx context.Context, image string, in io.Reader, out io.Writer) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, in) // an input that cannot be read is an input that has ended
		cancel(errInputClosed)
	}()

	server, err := start(ctx, image)
	// A start that failed may still have left a container: it is removed in either case.
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

// remove kills server, which has nothing to save, and deletes it. It has a context of its own: the caller's is over.
func remove(server *postgres.PostgresContainer) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	err := testcontainers.TerminateContainer(server, testcontainers.StopContext(ctx), testcontainers.StopTimeout(0))
	if err != nil {
		return fmt.Errorf("remove the container: %w", err)
	}
	return nil
}
