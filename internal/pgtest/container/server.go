package main

import (
	"context"
	"crypto/rand"
	"fmt"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx", the driver that asks whether the server answers
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/wait"
)

// settings make a server fast and able to serve a whole test binary; it never has to survive a crash.
var settings = []string{
	"-c", "fsync=off",
	"-c", "synchronous_commit=off",
	"-c", "full_page_writes=off",
	"-c", "max_connections=200",
}

// start returns a server that has answered a query, and its URL. After an error the container may be non-nil.
func start(ctx context.Context, image string) (testcontainers.Container, string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("no answer within %v", startTimeout))
	defer cancel()

	password := rand.Text()
	server, err := postgres.Run(ctx, image,
		postgres.WithUsername("postgres"),
		postgres.WithPassword(password),
		postgres.WithDatabase("postgres"),
		testcontainers.WithCmd(append([]string{"postgres"}, settings...)...),
		// A query over TCP, not the log: while it initialises, the image's server listens on its socket only.
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, wait.ForSQL("5432/tcp", "pgx",
			func(host, port string) string { return serverURL(password, host, port) })),
	)
	if server == nil { // a nil *PostgresContainer must not become a Container that is not nil
		return nil, "", cause(ctx, err)
	}
	if err != nil {
		return server, "", cause(ctx, err)
	}
	url, err := server.ConnectionString(ctx, "sslmode=disable")
	return server, url, err
}
