package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getsentry/sentry-go"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// tracker is a Sentry server that keeps the events.
type tracker struct {
	mu     sync.Mutex
	bodies []string
}

func (tr *tracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err == nil {
		tr.bodies = append(tr.bodies, string(body))
	}
	_, _ = io.WriteString(w, "{}")
}

// When a statement fails, the event that arrives over HTTP has the tenant's tags and no data of the
// tenant.
func TestEventsHaveTheTenantAndNoData(t *testing.T) {
	t.Parallel()
	tr := &tracker{}
	server := httptest.NewServer(tr)
	defer server.Close()
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn:                    strings.Replace(server.URL, "http://", "http://key@", 1) + "/1",
		DisableTelemetryBuffer: true,
	})
	require.NoError(t, err)
	require.NoError(t, demonstrate(t.Context(), pgtest.New(t).Pool, client))
	require.True(t, client.Flush(30*time.Second), "events were not sent")
	tr.mu.Lock()
	defer tr.mu.Unlock()
	all := strings.Join(tr.bodies, "\n")
	for _, want := range []string{
		`"tenant":"schoola"`, `"tenant_id":"1"`, `"schema":"tenant_1"`, `"request_id":"request-of-schoola"`,
		`"tenant":"schoolb"`, `"schema":"tenant_2"`, `"type":"SQLSTATE 23505"`, `"value":"students_email_key"`,
		`insert into students (email) values ($1)`,
	} {
		assert.Contains(t, all, want, "no event has %s", want)
	}
	for _, secret := range []string{"amara", "example.com", "already exists", "postgres://"} {
		assert.NotContains(t, all, secret, "an event contains %q", secret)
	}
}

func TestErrorsAreDescribedWithoutValues(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"SQLSTATE 22P02 statement failed": &pgconn.PgError{
			Code: "22P02", Message: `invalid input syntax for type integer: "secret"`,
		},
		"SQLSTATE 23502 students": &pgconn.PgError{
			Code: "23502", TableName: "students", Detail: "Failing row contains (secret).",
		},
		"*errors.errorString statement failed before the server had an answer": errors.New("secret"),
	} {
		kind, what := describe(err)
		assert.Equal(t, want, kind+" "+what)
	}
}

func TestCanceledStatementsAreNotReported(t *testing.T) {
	t.Parallel()
	sent := 0
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: "http://key@127.0.0.1:1/1",
		BeforeSend: func(*sentry.Event, *sentry.EventHint) *sentry.Event {
			sent++
			return nil
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	report := failed(client)
	report(ctx, schemactx.StatementFailure{Err: errors.New("x")})
	cancel()
	report(ctx, schemactx.StatementFailure{Err: ctx.Err()})
	assert.Equal(t, 1, sent, "events")
}
