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
)

const (
	defaultImage = "postgres:18"

	// startTimeout bounds the pull of the image together with the start of the server.
	startTimeout = 5 * time.Minute

	// stopTimeout bounds the removal of the container, which runs after the context of the start has ended.
	stopTimeout = 30 * time.Second
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

	server, url, err := start(ctx, image)
	// A start that failed may still have left a container: it is removed in either case.
	defer func() {
		if stopErr := testcontainers.TerminateContainer(server, testcontainers.StopContext(context.Background()),
			testcontainers.StopTimeout(stopTimeout)); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("remove the container of %q: %w", image, stopErr))
		}
	}()
	if err != nil {
		return fmt.Errorf("start %q: %w", image, err)
	}
	if err := json.NewEncoder(out).Encode(map[string]string{"url": url}); err != nil {
		return fmt.Errorf("report the address: %w", err)
	}
	<-ctx.Done()
	return nil
}
