package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx" for wait.ForSQL
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/wait"
)

// superuser and database are the user and the database of the URL.
const superuser, database = "postgres", "postgres"

// settings make a server fast and give it enough connections for a test binary. It need not survive
// a crash.
var settings = []string{
	"-c", "fsync=off",
	"-c", "synchronous_commit=off",
	"-c", "full_page_writes=off",
	"-c", "max_connections=200",
}

// start returns a server that has answered a query. After an error it may return a server that must
// be removed.
func start(ctx context.Context, image string) (*postgres.PostgresContainer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("no answer within %v", startTimeout))
	defer cancel()

	password := rand.Text()
	// The check is a query over TCP and not a line of the log: during initialisation the server of the
	// image listens on its socket only.
	answers := wait.ForSQL("5432/tcp", "pgx", func(host string, port network.Port) string {
		address := url.URL{
			Scheme:   "postgres",
			User:     url.UserPassword(superuser, password),
			Host:     net.JoinHostPort(host, port.Port()),
			Path:     database,
			RawQuery: "sslmode=disable",
		}
		return address.String()
	}).WithStartupTimeout(startTimeout)

	server, err := postgres.Run(ctx, image,
		postgres.WithUsername(superuser),
		postgres.WithPassword(password),
		postgres.WithDatabase(database),
		testcontainers.WithCmd(append([]string{"postgres"}, settings...)...),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, answers),
	)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // says more than a wrapped "context canceled"
	}
	return server, err
}
