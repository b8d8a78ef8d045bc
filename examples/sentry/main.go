package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/getsentry/sentry-go"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	server, err := localpg.Start(ctx, localpg.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	options := sentry.ClientOptions{Dsn: os.Getenv("SENTRY_DSN")}
	if options.Dsn == "" {
		options.BeforeSend = show
	}
	client, err := sentry.NewClient(options)
	if err != nil {
		return err
	}
	defer client.Flush(5 * time.Second)
	pool, err := pgxpool.New(ctx, server.TCPURL("postgres"))
	if err != nil {
		return err
	}
	defer pool.Close()
	return demonstrate(ctx, pool, client)
}

func show(e *sentry.Event, _ *sentry.EventHint) *sentry.Event {
	fmt.Println(e.Exception[0].Type, e.Exception[0].Value, e.Tags, e.Contexts["statement"]["sql"])
	return nil // do not send it: there is no DSN
}

// demonstrate creates two tenants. For each of them it runs a statement that fails.
func demonstrate(ctx context.Context, admin *pgxpool.Pool, client *sentry.Client) error {
	db, err := schemactx.New(admin, schemactx.Config{
		Level: schemactx.PathOnly, // one login for all tenants, to keep the demonstration short
		Hooks: schemactx.Hooks{StatementFailure: failed(client)},
	})
	if err != nil {
		return err
	}
	for id, slug := range []string{"schoola", "schoolb"} {
		t := &tenancy.Tenant{ID: int64(id + 1), Slug: slug, Schema: fmt.Sprintf("tenant_%d", id+1), Status: tenancy.Active}
		//tenantvet:allow tenantpool the owner makes what tenants have
		if _, err := admin.Exec(
			ctx,
			fmt.Sprintf("create schema %s create table students (email text unique)", t.Schema),
		); err != nil {
			return err
		}
		if err := enrolTwice(ctx, db, t); err != nil {
			return err
		}
	}
	return nil
}

// enrolTwice stands for a handler. In a server the middleware creates its context.
func enrolTwice(ctx context.Context, db *schemactx.DB, t *tenancy.Tenant) error {
	ctx, err := tenanthttp.NewRequestIDContext(ctx, "request-of-"+t.Slug)
	if err != nil {
		return err
	}
	//tenantvet:allow tenantswitch stands for the middleware
	ctx = tenancy.NewContext(ctx, t)
	const sql = "insert into students (email) values ($1)"
	if _, err := db.Exec(ctx, sql, "amara@example.com"); err != nil {
		return err
	}
	_, _ = db.Exec(ctx, sql, "amara@example.com") // the hook sends the error to the tracker
	return nil
}
