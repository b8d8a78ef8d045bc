package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The creation of a school continues after the client has disconnected. Otherwise a lost connection
// would leave a school without an administrator that keeps its short name.
func TestSchoolIsCreatedAfterTheClientDisconnects(t *testing.T) {
	t.Parallel()
	p, db := startOn(t)
	eventually(t, "a school in stock", func() (there bool) {
		require.NoError(
			t,
			db.Pool.QueryRow(t.Context(),
				"select count(*) = 2 from public.tenants where status = 'stocked' and stock_version <> ''").
				Scan(&there),
		)
		return there
	})
	tx, err := db.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	rows, err := tx.Query(t.Context(), "select schema_name from public.tenants where status = 'stocked'")
	require.NoError(t, err)
	var schemas []string
	for rows.Next() {
		var schema string
		require.NoError(t, rows.Scan(&schema))
		schemas = append(schemas, schema)
	}
	require.NoError(t, rows.Err())
	for _, schema := range schemas {
		_, err := tx.Exec(t.Context(), "lock table "+schema+".users in access exclusive mode")
		require.NoError(t, err)
	}
	blocked := func() (n int) {
		require.NoError(t,
			db.Pool.QueryRow(t.Context(), `select count(*) from pg_locks l join pg_class c on c.oid = l.relation
			where l.database = (select oid from pg_database where datname = current_database()) and c.relname = 'users'
				and not l.granted`).Scan(&n))
		return n
	}

	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(
		ctx,
		"POST",
		"http://127.0.0.1:"+p.port+"/api/tenants/",
		strings.NewReader(
			`{"name": "Elm Park", "slug": "elmpark", "email": "me@elmpark.example", "password": "correct horse"}`,
		),
	)
	require.NoError(t, err)
	req.Host = "localhost"
	req.Header.Set("Content-Type", jsonType)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	eventually(t, "the first administrator waits", func() bool { return blocked() == 1 })
	hangUp()
	<-gone
	time.Sleep(200 * time.Millisecond) // time for the server to notice the disconnect
	require.NoError(t, tx.Rollback(t.Context()))

	eventually(t, "the school", func() (there bool) {
		require.NoError(
			t,
			db.Pool.QueryRow(t.Context(),
				"select count(*) = 1 from public.tenants where slug = 'elmpark' and status = 'active' and plan = 'basic'").
				Scan(&there),
		)
		return there
	})
	eventually(t, "its administrator", func() bool {
		return p.ask(t, "POST", "elmpark.localhost", "/api/auth/login",
			`{"email": "me@elmpark.example", "password": "correct horse"}`, "Content-Type", jsonType).status == 200
	})
	require.NoError(t, p.stop())
}
